#!/usr/bin/env bash
# Builds everything and runs every test: bash tests/run.sh [--long] [--fuzz-seconds N] [STAGE...]
#
# Stages: lint budget unit tsan fuzz e2e interop (default: all). On Debian 12 missing packages are installed first.
# Everything made lies under build*/; logs under build/logs/. The last line is "N passed, N failed"; exit 1 when
# anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
TOP=$PWD
STAGES="lint budget unit tsan fuzz e2e interop"
LOGS=$TOP/build/logs
JOBS=${JOBS:-$(nproc)}
LONG=0
FUZZ_SECONDS=
wanted=""

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
    case $1 in
    --long) LONG=1 ;;
    --fuzz-seconds) FUZZ_SECONDS=${2:?--fuzz-seconds needs a number}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "unknown option $1" >&2; usage >&2; exit 64 ;;
    *)
        case " $STAGES " in
        *" $1 "*) wanted="$wanted $1" ;;
        *) echo "unknown stage $1; there are: $STAGES" >&2; exit 64 ;;
        esac
        ;;
    esac
    shift
done
[ -n "$wanted" ] || wanted=$STAGES
wants() { case " $wanted " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# --- results: one line per test in $RESULTS: "pass|fail NAME SECONDS LOG"
rm -rf "$LOGS" && mkdir -p "$LOGS"
RESULTS=$LOGS/results
: > "$RESULTS"
record() { printf '%s %s %s %s\n' "$1" "$2" "$3" "$4" >> "$RESULTS"; }
tty=0; [ -t 1 ] && tty=1
progress() { [ $tty -eq 1 ] && printf '\r\033[K%s' "$*"; return 0; }
say() { [ $tty -eq 1 ] && printf '\r\033[K'; printf '%s\n' "$*"; }

# run_test NAME LIMIT COMMAND...: one process with a time limit, output in its own log.
run_test() {
    local name=$1 limit=$2 log=$LOGS/$1.log begin=$SECONDS rc
    shift 2
    progress "$name"
    mkdir -p "$(dirname "$log")"
    timeout -k 10 "$limit" "$@" > "$log" 2>&1 < /dev/null
    rc=$?
    [ $rc -eq 124 ] && echo "run.sh: stopped after its $limit s" >> "$log"
    if [ $rc -eq 0 ]; then
        record pass "$name" $((SECONDS - begin)) "$log"
    else
        echo "run.sh: exit code $rc" >> "$log"
        record fail "$name" $((SECONDS - begin)) "$log"
        say "failed: $name (log: ${log#"$TOP"/})"
    fi
    return $rc
}

# stage_line NAME BEGIN: what the stage came to.
stage_line() {
    awk -v s="$1/" -v name="$1" -v t=$((SECONDS - $2)) \
        'index($2, s) == 1 { n[$1]++ } END { printf "%-8s %d passed, %d failed, %d s\n", name ":", n["pass"], n["fail"], t }' \
        "$RESULTS" | while read -r line; do say "$line"; done
}

finish() {
    local passed failed
    passed=$(grep -c '^pass ' "$RESULTS")
    failed=$(grep -c '^fail ' "$RESULTS")
    if [ "$failed" -gt 0 ]; then
        say "failed:"
        awk -v top="$TOP/" '$1 == "fail" { sub(top, "", $4); printf "  %s (%s)\n", $2, $4 }' "$RESULTS"
    fi
    say "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# --- packages
PACKAGES="cmake ninja-build gcc clang-14 clang-format-14 llvm-14 pkg-config libuv1-dev libnghttp2-dev node-llhttp
libssl-dev libfyaml-dev zlib1g-dev libprotobuf-c-dev protobuf-c-compiler libisal-dev libzstd-dev
libsnappy-dev liblz4-dev libcmocka-dev libyajl-dev libcrypt-dev libclang-rt-14-dev universal-ctags ccache valgrind curl python3 nghttp2-client openssl ca-certificates git"
PEER_PACKAGES="nodejs npm python3-venv"

install_packages() {
    local need="$PACKAGES" missing="" p
    if wants interop; then
        for p in $PEER_PACKAGES; do
            # A node or venv that came another way will do.
            case $p in
            nodejs) command -v node > /dev/null || need="$need $p" ;;
            npm) command -v npm > /dev/null || need="$need $p" ;;
            python3-venv) python3 -c 'import ensurepip, venv' 2> /dev/null || need="$need $p" ;;
            esac
        done
    fi
    for p in $need; do
        dpkg-query -W -f='${Status}' "$p" 2> /dev/null | grep -q ' installed$' || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    say "installing:$missing"
    local sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo > /dev/null || { say "these packages are missing and there is no sudo:$missing"; return 1; }
        sudo=sudo
    fi
    # shellcheck disable=SC2086
    { $sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing; } \
        > "$LOGS/packages.log" 2>&1
}

# --- builds
CMAKE_ARGS=""
TARGETS="" # of ninja; empty: everything
# build DIR CMAKE-ARGUMENTS...: configured and built, with a line of progress. Counts as one test.
build() {
    local dir=$1 begin=$SECONDS log=$LOGS/build/$1.log rc
    shift
    mkdir -p "$LOGS/build"
    progress "$dir: configuring"
    # shellcheck disable=SC2086
    if ! cmake -S . -B "$dir" -G Ninja $CMAKE_ARGS "$@" > "$log" 2>&1; then
        record fail "$dir" $((SECONDS - begin)) "$log"
        say "failed: $dir (log: ${log#"$TOP"/})"
        return 1
    fi
    # shellcheck disable=SC2086
    timeout -k 10 1800 ninja -C "$dir" -j "$JOBS" $TARGETS 2>&1 < /dev/null | while IFS= read -r line; do
        printf '%s\n' "$line" >> "$log"
        case $line in '['*) progress "$dir ${line%%]*}]" ;; esac
    done
    rc=${PIPESTATUS[0]}
    if [ "$rc" -eq 0 ]; then
        record pass "$dir" $((SECONDS - begin)) "$log"
        say "$dir: built, $((SECONDS - begin)) s"
    else
        record fail "$dir" $((SECONDS - begin)) "$log"
        say "failed: $dir (log: ${log#"$TOP"/})"
        grep -m5 -E 'error:|FAILED|undefined reference' "$log" | sed 's/^/    /'
    fi
    return "$rc"
}

# run_ctest STAGE DIR LABEL: every ctest test is one of ours; its output goes to the stage's folder.
run_ctest() {
    local stage=$1 dir=$2 label=$3 log=$LOGS/$1/ctest.log args=() count=0
    mkdir -p "$LOGS/$stage"
    [ -z "$label" ] || args=(-L "$label")
    timeout -k 10 1800 ctest --test-dir "$dir" -j "$JOBS" --output-on-failure --no-tests=error "${args[@]}" 2>&1 < /dev/null |
        tee "$log" | while IFS= read -r line; do
        case $line in *' Test '*' ... '*|*' Test '*'....'*) progress "$stage $(awk '{ print $1, $4 }' <<< "$line")" ;; esac
    done
    while read -r result name seconds; do
        record "$result" "$stage/$name" "$seconds" "$log"
        [ "$result" = pass ] || say "failed: $stage/$name (log: ${log#"$TOP"/})"
        count=$((count + 1))
    done < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.*(.*) +([0-9.]+) sec.*$/\1 \2 \3/p' "$log" |
        awk '{ print ($2 == "Passed" ? "pass" : "fail"), $1, $NF }')
    [ "$count" -gt 0 ] || { record fail "$stage/ctest" 0 "$log"; say "failed: $stage: ctest ran no test (log: ${log#"$TOP"/})"; }
}

# --- stages
stage_lint() {
    local begin=$SECONDS
    run_test lint/includes 120 python3 tests/lint/includes.py
    run_test lint/sizes 120 python3 tests/lint/sizes.py
    run_test lint/cone 120 python3 tests/lint/cone.py build
    run_test lint/banned 120 python3 tests/lint/banned.py
    run_test lint/words 120 python3 tests/lint/words.py
    run_test lint/format 120 bash tests/lint/format.sh
    run_test lint/conf 120 bash tests/lint/conf.sh build/leat
    run_test lint/shell 120 bash tests/lint/shell.sh
    stage_line lint "$begin"
}

# Instructions of the data path's pieces, against what is stored (bench/micro/budget.json).
stage_budget() {
    local begin=$SECONDS
    run_test budget/instructions 600 python3 bench/micro/count.py build
    stage_line budget "$begin"
}

SANITIZERS="ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"

stage_unit() {
    local begin=$SECONDS
    run_ctest unit build-asan ""
    stage_line unit "$begin"
}

# Threads: the unit tests that start some, and the whole program with several workers under load.
stage_tsan() {
    local begin=$SECONDS
    run_ctest tsan build-tsan threads
    run_test tsan/program 300 env LEAT="$TOP/build-tsan/leat" python3 tests/e2e/test_workers.py
    stage_line tsan "$begin"
}

stage_fuzz() {
    local begin=$SECONDS targets n seconds target name corpus args
    mapfile -t targets < <(find build-fuzz/tests -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sort)
    n=${#targets[@]}
    if [ "$n" -eq 0 ]; then
        mkdir -p "$LOGS/fuzz"
        echo "no fuzz target in build-fuzz/tests" > "$LOGS/fuzz/none.log"
        record fail fuzz/none 0 "$LOGS/fuzz/none.log"
        return
    fi
    # All of them together: three minutes, or 20 minutes in the long form.
    seconds=${FUZZ_SECONDS:-$(( (LONG ? 1200 : 160) / n ))}
    [ "$seconds" -ge 2 ] || seconds=2
    for target in "${targets[@]}"; do
        name=$(basename "$target")
        corpus=$TOP/build-fuzz/corpus/$name
        mkdir -p "$corpus" "$LOGS/fuzz/$name"
        args=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
            -artifact_prefix="$LOGS/fuzz/$name/" "$corpus")
        [ ! -d "tests/fuzz/seeds/${name#fuzz_}" ] || args+=("tests/fuzz/seeds/${name#fuzz_}")
        run_test "fuzz/$name" $((seconds + 60)) "$target" "${args[@]}"
    done
    stage_line fuzz "$begin"
}

run_python() {
    local stage=$1 limit=$2 leat=$3 begin=$SECONDS file
    for file in tests/"$stage"/test_*.py; do
        run_test "$stage/$(basename "$file" .py | sed 's/^test_//')" "$limit" env LEAT="$leat" LEAT_LONG=$LONG python3 "$file"
    done
    stage_line "$stage" "$begin"
}

# The peers are fetched and built while other stages run; this waits for them.
PEERS_PID=
start_peers() {
    mkdir -p "$LOGS/peers"
    nice -n 10 bash tests/peers/install.sh > "$LOGS/peers/install.log" 2>&1 < /dev/null &
    PEERS_PID=$!
}

stage_interop() {
    local begin=$SECONDS log=$LOGS/peers/install.log
    progress "interop: waiting for the peers to be installed"
    if ! wait "$PEERS_PID"; then
        record fail interop/peers $((SECONDS - begin)) "$log"
        say "failed: interop/peers: $(grep -m1 'cannot' "$log" || echo "a peer was not installed") (log: ${log#"$TOP"/})"
        PEERS_PID=
        return
    fi
    PEERS_PID=
    record pass interop/peers $((SECONDS - begin)) "$log"
    run_python interop 300 "$TOP/build/leat"
}

cleanup() { [ -z "$PEERS_PID" ] || kill "$PEERS_PID" 2> /dev/null; }
trap cleanup EXIT

# shellcheck disable=SC2163
for setting in $SANITIZERS; do export "$setting"; done
if ! install_packages; then
    record fail packages 0 "$LOGS/packages.log"
    say "failed: packages (log: ${LOGS#"$TOP"/}/packages.log)"
    finish
fi
if command -v ccache > /dev/null; then CMAKE_ARGS="-DCMAKE_C_COMPILER_LAUNCHER=ccache"; fi
wants interop && start_peers
if wants lint || wants budget || wants interop; then build build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLEAT_BENCH=ON; fi
if wants unit || wants e2e; then build build-asan -DCMAKE_BUILD_TYPE=Debug -DLEAT_TESTS=ON -DLEAT_SANITIZE=address,undefined; fi
wants lint && stage_lint
wants budget && stage_budget
wants unit && stage_unit
if wants tsan; then TARGETS="thread_tests leat" build build-tsan -DCMAKE_BUILD_TYPE=Debug -DLEAT_TESTS=ON -DLEAT_SANITIZE=thread && stage_tsan; fi
if wants fuzz || wants lint; then build build-fuzz -DCMAKE_BUILD_TYPE=Debug -DLEAT_FUZZ=ON -DCMAKE_C_COMPILER=clang-14; fi
wants fuzz && stage_fuzz
wants e2e && run_python e2e $((LONG ? 3600 : 180)) "$TOP/build-asan/leat"
wants interop && stage_interop
finish
