#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs tests and adds them up.
#
#   tests/run.sh                every kind below, in two lanes
#   tests/run.sh unit bpf ...   only these kinds, in this order
#   tests/run.sh unit + bpf     two lanes: what stands left and right of a + runs side by side
#   tests/run.sh -- CMD ARG...  this one program
#   TEST=name                   only tests whose file name contains it
#   XI_LANES=1                  one thing after the other (as on a machine with one CPU)
#
# Every test is a program that prints TAP: cmocka programs through
# CMOCKA_MESSAGE_OUTPUT=TAP, scripts by themselves. A test that ends with a
# status but without a failed line, that prints no plan, fewer or more results
# than planned, or runs into its time limit, is a failure. What was skipped is
# named with its reason. Full output is kept in $O/log. The last line is
# "N passed, N failed, N skipped"; the exit status is 1 if anything failed.
#
# kind         what                                             needs root
#   lint         tests/lint/*.sh                                  no
#   build        gcc and clang with -Werror, nothing linked       no
#   unit         tests/unit/**/test_*                             no
#   exchange     tests/exchange/test_*: two engines in memory     no
#   asan         unit and exchange under ASan and UBSan           no
#   golden       tests/golden/run.sh                              no
#   bpf          tests/bpf/test_*: programs under test run        yes
#   integration  tests/integration/*.sh: namespaces               yes
#   interop      tests/interop/*.sh: packaged peers               yes
#   demo         tests/demo/demo.sh                               yes
#   fuzz         every fuzz target for FUZZ_SECONDS (10)          no
#   vm           vmtest/run.sh for each kernel                    yes
#   data         (not by default) every test that reads DATA      as above
set -u
cd "$(dirname "$0")/.." || exit 1

O=${O:-.output}
TEST=${TEST:-}
XI_DATA=${DATA:-../shared/data}
FUZZ_SECONDS=${FUZZ_SECONDS:-10}
export O XI_DATA
logs=$O/log
mkdir -p "$logs"
summary=$(mktemp "$logs/summary.XXXXXX")
trap 'rm -f "$summary"' EXIT
started=$SECONDS
fresh= # the kind whose heading has been printed
child= # the test that runs: it is told first when we are
lanes= # those in the background: they are told as well
stop()
{
	trap '' INT TERM
	[ -n "$child$lanes" ] && kill -TERM $child $lanes 2>/dev/null
	wait $child $lanes 2>/dev/null
	exit 130
}
trap 'echo; echo "interrupted"; stop' INT TERM

# One TAP stream on stdin -> "passed failed skipped" and one "skip ..." or
# "fail ..." line each. rc and timeout come from the caller.
read -r -d '' parser <<'AWK'
/^1\.\.[0-9]+/ {
	planned = 1; n = $1; sub(/^1\.\./, "", n); plan += n
	if (n == 0 && match($0, /# *[Ss][Kk][Ii][Pp]/)) {
		skipped++; why = substr($0, RSTART + RLENGTH); sub(/^[: ]+/, "", why)
		print "skip", "everything: " why
	}
	next
}
/^(not )?ok( |$)/ {
	seen++
	text = $0; sub(/^(not )?ok *[0-9]* *-? */, "", text)
	if (match(text, /# *[Ss][Kk][Ii][Pp]/)) {
		skipped++
		name = substr(text, 1, RSTART - 1); why = substr(text, RSTART + RLENGTH)
		sub(/^[: ]+/, "", why); sub(/ +$/, "", name)
		if (name == "") { # cmocka: the name stands here, the reason on the line before
			name = why; why = said
		}
		print "skip", (name != "" && why != "") ? name ": " why : name why
	} else if ($1 == "not") {
		failed++; print "fail", text
	} else {
		passed++
	}
	said = ""
	next
}
{ said = $0; sub(/^[# \t]*([Ss]kip(ped)?: *)?/, "", said) }
/^Bail out!/ { failed++; print "fail", $0 }
END {
	if (rc == 124 || rc == 137) {
		failed++; print "fail", "ran into its time limit of " limit " s"
	} else if (rc != 0 && !failed) {
		failed++; print "fail", "ended with status " rc " without naming a failed test"
	} else if (!planned) {
		failed++; print "fail", "printed no plan (1..N)"
	} else if (seen + 0 != plan) {
		failed++; print "fail", "planned " plan " tests and reported " seen + 0
	}
	print "sum", passed + 0, failed + 0, skipped + 0
}
AWK

# The lines of a log that a reader wants first: what failed, with what stands
# around it; else the end.
telling()
{
	local lines

	lines=$(grep -E -B2 -A3 '^not ok|: (error|warning|fatal error):|ERROR: |runtime error|\*\*\*' "$1" | head -n 30)
	if [ -n "$lines" ]; then printf '%s\n' "$lines"; else tail -n 15 "$1"; fi
}

# one KIND NAME SECONDS COMMAND...: runs a TAP program, prints its line.
one()
{
	local kind=$1 name=$2 limit=$3 log rc t0=$SECONDS p f s result
	shift 3

	case "$name" in *"$TEST"*) ;; *) return ;; esac
	[ "$fresh" = "$kind" ] || { printf '\n%s\n' "$kind"; fresh=$kind; }
	log=$logs/$kind.$(printf '%s' "$name" | tr '/ ' '__').log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null &
	child=$!
	wait "$child" 2>/dev/null
	rc=$?
	child=
	result=$(awk -v rc=$rc -v limit="$limit" "$parser" "$log")
	read -r _ p f s <<<"$(grep '^sum ' <<<"$result")"
	t0=$((SECONDS - t0))
	printf '%s %s %s %s %s\n' "$kind" "$p" "$f" "$s" "$t0" >>"$summary"
	printf '  %-6s %-46s %4d passed' "$([ "$f" -eq 0 ] && echo ok || echo FAILED)" "$name" "$p"
	[ "$f" -gt 0 ] && printf ', %d failed' "$f"
	[ "$s" -gt 0 ] && printf ', %d skipped' "$s"
	[ $t0 -gt 4 ] && printf '  (%d s)' $t0
	printf '\n'
	sed -n "s/^fail /         failed: /p; s/^skip /         skipped: /p" <<<"$result"
	if [ "$kind" = vm ]; then # where the time went
		sed -nE 's/^(# |ok [0-9]+ - )(kernel [0-9.]+[^ ]* boots .*|[^ ]+ took [0-9]{2,} s)$/\2/p' "$log" | paste -sd';' | sed 's/;/; /g; s/^/         /'
	fi
	if [ "$f" -gt 0 ]; then
		echo "         log: $log; what it says about it:"
		telling "$log" | sed 's/^/         | /'
	fi
	if [ "$kind" = data ]; then
		grep -vE '^(not )?ok |^# ok - |^1\.\.[0-9]|^data folder:' "$log" | sed 's/^[# ]*/         /' | head -60
	fi
}

# skip KIND NAME REASON: what cannot run here is named, and counted once.
skip()
{
	[ "$fresh" = "$1" ] || { printf '\n%s\n' "$1"; fresh=$1; }
	printf '%s 0 0 1 0\n' "$1" >>"$summary"
	printf '  %-6s %-46s %s\n' skip "$2" "$3"
}

# Runs a plain command as one test.
plain()
{
	local what=$1
	shift
	echo 1..1
	if "$@"; then echo "ok 1 - $what"; else echo "not ok 1 - $what"; fi
}
export -f plain

# compile KIND NAME MAKE-ARGUMENTS...: a build that must succeed, as one test.
compile()
{
	local kind=$1 name=$2
	shift 2
	one "$kind" "$name" 900 bash -c 'plain "$@"' - "$name" make -k --no-print-directory -j"$(nproc)" "$@"
}

# The programs that come from PATTERN..., built under DIR: built DIR PATTERN...
built()
{
	local dir=$1 src
	shift
	for src; do
		[ -e "$src" ] && echo "$dir/${src%.c}"
	done
}

unit_sources="tests/unit/test_*.c tests/unit/*/test_*.c tests/unit/*/*/test_*.c"
root()
{
	[ "$(id -u)" -eq 0 ] && return 0
	skip "$1" "all of it" "needs root"
	return 1
}

programs()
{
	local kind=$1 limit=$2 bin name
	shift 2
	for bin; do
		name=${bin#"$O"/}
		name=${name#asan/}
		name=${name#tests/}
		if [ -x "$bin" ]; then
			one "$kind" "$name" "$limit" "$bin"
		else
			one "$kind" "$name" "$limit" bash -c "echo '$bin was not built'; exit 1"
		fi
	done
}

scripts()
{
	local kind=$1 limit=$2 script name
	for script in tests/"$kind"/*.sh; do
		name=${script##*/}
		case "$name" in lib*.sh | fetch-*.sh | '*.sh') continue ;; esac
		one "$kind" "$kind/$name" "$limit" bash "$script"
	done
}

kind_lint() { scripts lint 120; }
kind_unit() { programs unit 120 $(built "$O" $unit_sources); }
kind_exchange() { programs exchange 120 $(built "$O" tests/exchange/test_*.c); }
kind_golden() { [ -e tests/golden/run.sh ] && one golden golden/run.sh 300 bash tests/golden/run.sh; }
kind_bpf() { root bpf && programs bpf 300 $(built "$O" tests/bpf/test_*.c); }
kind_integration() { root integration && scripts integration 300; }
kind_interop() { root interop && scripts interop 300; }
kind_demo() { root demo && one demo demo/demo.sh 180 env XI_TAP=1 bash tests/demo/demo.sh; }

kind_build()
{
	compile build "gcc -Werror" O="$O/gcc" CC=gcc WERROR=1 OPT=-O2 objects
	compile build "clang -Werror" O="$O/clang" CC=clang WERROR=1 OPT=-O2 objects
}

kind_asan()
{
	local progs

	progs=$(built "$O/asan" $unit_sources tests/exchange/test_*.c)
	# At -O2 -g this build takes twice as long.
	compile asan "build with ASan and UBSan" SAN=1 OPT="-O1 -g1" O="$O/asan" $progs
	export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
	programs asan 300 $progs
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

# One fuzz target: its own seeds and those of the data folder, a corpus that
# stays in the build folder, and a file with the input if it fails.
fuzz_one()
{
	local bin=$1 name=$2 seeds= corpus=$O/fuzz/$2 dir

	mkdir -p "$corpus"
	for dir in "tests/fuzz/seeds/$name" "$XI_DATA/fuzz-seeds/$name"; do
		[ -d "$dir" ] && seeds="$seeds $dir"
	done
	echo 1..1
	if "$bin" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$corpus/crash-" -verbosity=1 "$corpus" $seeds 2>&1 | sed 's/^/# /'
		[ "${PIPESTATUS[0]}" -eq 0 ]; then
		echo "ok 1 - $name survives $FUZZ_SECONDS s"
	else
		echo "not ok 1 - $name fails on an input kept in $corpus"
	fi
}
export -f fuzz_one
export FUZZ_SECONDS

kind_fuzz()
{
	local src name

	for src in tests/fuzz/fuzz_*.c; do
		[ -e "$src" ] || return
		name=${src##*/fuzz_}
		name=${name%.c}
		case "fuzz_$name" in *"$TEST"*) ;; *) continue ;; esac
		[ "$O/tests/fuzz/fuzz_$name" -nt "$src" ] && [ "${FUZZ_KEEP:-0}" = 1 ] ||
			compile fuzz "build fuzz_$name" "$O/tests/fuzz/fuzz_$name"
		[ -x "$O/tests/fuzz/fuzz_$name" ] || continue
		one fuzz "fuzz_$name" $((FUZZ_SECONDS + 60)) \
			bash -c 'fuzz_one "$@"' - "$O/tests/fuzz/fuzz_$name" "$name"
	done
}

kind_vm()
{
	local kernel only=$TEST

	root vm || return
	TEST=
	for kernel in ${KERNEL:-6.1 6.12}; do
		one vm "vm: kernel $kernel" 3600 env TEST="$only" bash vmtest/run.sh "$kernel"
	done
}

# Tests that read the data folder name XI_DATA in their source, or include what reads it.
kind_data()
{
	local src bins=

	if [ ! -d "$XI_DATA" ]; then
		one data "the folder $XI_DATA" 10 bash -c 'echo "no such folder"; exit 1'
		return
	fi
	for src in $(grep -ls -e XI_DATA -e lib/data.h $unit_sources tests/exchange/test_*.c tests/bpf/test_*.c); do
		bins="$bins $O/${src%.c}"
	done
	programs data 900 $bins
	for src in $(grep -ls XI_DATA tests/integration/*.sh tests/golden/run.sh); do
		one data "${src#tests/}" 900 bash "$src"
	done
}

if [ "${1:-}" = -- ]; then
	shift
	one one "${1##*/}" "${LIMIT:-300}" "$@"
	set -- none
fi
kind_none() { :; }

# The virtual machines keep one CPU busy for as long as all the others take, and share nothing
# with them: those use the links, the clock and /sys/fs/bpf of this machine, one at a time.
kinds="lint build unit exchange asan golden bpf integration interop demo fuzz vm data one"
[ $# -gt 0 ] || set -- lint build unit exchange asan golden bpf integration interop demo fuzz + vm
groups=()
group=
for kind in "$@" +; do
	if [ "$kind" = + ]; then
		[ -n "$group" ] && groups+=("$group")
		group=
	elif declare -F "kind_$kind" >/dev/null; then
		group="$group $kind"
	else
		echo "no such kind of test: $kind (see the head of tests/run.sh)" >&2
		exit 2
	fi
done

lane() { local kind; for kind; do "kind_$kind"; done; }

if [ "${XI_LANES:-$(nproc)}" -lt 2 ]; then
	groups=("${groups[*]}")
fi
outputs=()
for group in "${groups[@]:1}"; do
	outputs+=("$(mktemp "$logs/lane.XXXXXX")")
	(
		lanes=
		trap stop INT TERM
		lane $group
	) >"${outputs[-1]}" 2>&1 &
	lanes="$lanes $!"
	echo "side by side with what follows, its results come after it:$group"
done
lane ${groups[0]:-}
for output in ${outputs[@]+"${outputs[@]}"}; do
	read -r pid lanes <<<"$lanes"
	child=$pid # should we be told to end
	wait "$pid"
	child=
	cat "$output"
	rm -f "$output"
done

printf '\ntotals by kind\n'
awk -v kinds="$kinds" '{ p[$1] += $2; f[$1] += $3; s[$1] += $4; t[$1] += $5 }
     END { n = split(kinds, order)
	   for (i = 1; i <= n; i++) { k = order[i]
	   if (k in p) printf "  %-12s %5d passed, %d failed, %d skipped  (%d s)\n", k, p[k], f[k], s[k], t[k] } }' "$summary"
printf 'took %d s; logs in %s\n' $((SECONDS - started)) "$logs"
awk '{ p += $2; f += $3; s += $4 }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p + f == 0 }' "$summary"
