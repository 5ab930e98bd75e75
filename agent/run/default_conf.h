/* What runs without a configuration file: OTLP in; shown on the terminal, or forwarded to
 * OTEL_EXPORTER_OTLP_ENDPOINT. */
#ifndef LEAT_RUN_DEFAULT_CONF_H
#define LEAT_RUN_DEFAULT_CONF_H

/* As a source for leat_plan_load(): "yaml:…". Source of the variables: OpenTelemetry specification,
 * "OpenTelemetry Protocol Exporter" (ENDPOINT, HEADERS, PROTOCOL, COMPRESSION, CERTIFICATE,
 * CLIENT_CERTIFICATE, CLIENT_KEY, INSECURE, TIMEOUT). */
char *leat_default_conf(void);
void leat_default_conf_free(char *text); /* takes NULL */

#endif
