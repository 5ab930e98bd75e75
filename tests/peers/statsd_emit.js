// Sends one of everything a StatsD client for Node can send: node statsd_emit.js hot-shots|node-statsd PORT [udp|tcp]
// Values are chosen so that what must come out at the other end can be said exactly.
'use strict';
const [name, port, protocol = 'udp'] = process.argv.slice(2);
const calls = [];
const call = (client, method, ...args) => calls.push(() => new Promise((done, fail) =>
  client[method](...args, error => (error ? fail(error) : done()))));
const tags = ['env:prod', 'zone:eu-1'];

let client;
if (name === 'hot-shots') {
  const StatsD = require('hot-shots');
  client = new StatsD({ host: '127.0.0.1', port: Number(port), protocol, prefix: 'hs.', globalTags: ['app:node'], datadog: true,
    originDetection: false, includeDataDogTags: false, includeDatadogTelemetry: false, containerID: 'ci-0123456789', maxBufferSize: 0,
    errorHandler: error => { console.error(error); process.exitCode = 1; } });
} else {
  const StatsD = require('node-statsd');
  client = new StatsD({ host: '127.0.0.1', port: Number(port), prefix: 'ns.', global_tags: ['app:node'] });
  client.socket.on('error', error => { console.error(error); process.exitCode = 1; });
}
call(client, 'increment', 'counter', 3);
call(client, 'increment', 'counter', 4);
call(client, 'decrement', 'counter', 2);
call(client, 'increment', 'tagged', 5, 1, tags);
call(client, 'gauge', 'gauge', 42.5);
call(client, 'gauge', 'gauge', 7.25);
call(client, 'timing', 'timer', 10, 1, tags);
call(client, 'timing', 'timer', 20.5, 1, tags);
call(client, 'timing', 'timer', 30, 1, tags);
call(client, 'histogram', 'histogram', 0.5);
call(client, 'histogram', 'histogram', 7);
call(client, 'histogram', 'histogram', 700);
for (const member of ['ann', 'bob', 'ann', 'über']) call(client, 'set', 'set', member);
call(client, 'unique', 'set', 'bob');
if (name === 'hot-shots') {
  call(client, 'gauge', 'level', 10);
  call(client, 'gaugeDelta', 'level', 5);
  call(client, 'gaugeDelta', 'level', -2.5);
  for (const value of [1, 2, 4]) call(client, 'distribution', 'distribution', value);
  call(client, 'increment', 'mapped', 2, 1, { 'a b': 'c,d', pipe: 'x|y' });
  call(client, 'event', 'deploy', 'line one\nline two', { hostname: 'web-1', aggregation_key: 'group', priority: 'low',
    source_type_name: 'ci', alert_type: 'warning', date_happened: new Date(1700000000000) }, tags);
  call(client, 'check', 'alive', client.CHECKS.CRITICAL, { hostname: 'web-1', message: 'not well', date_happened: new Date(1700000000000) }, tags);
}
// One at a time: the order of a gauge's values is part of what is tested.
(async () => {
  for (const one of calls) await one();
  await new Promise(done => (name === 'hot-shots' ? client.close(done) : done(client.close())));
  console.log(JSON.stringify({ sent: calls.length }));
})().catch(error => { console.error(error); process.exitCode = 1; });
