#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh LABEL: boots the kernel LABEL of kernels.txt with virtme-ng on the
# machine's own root (shared read-only) and runs vmtest/tests/*.sh in it.
# Prints TAP. TEST=name picks tests. Everything is kept in $O/vm/out-LABEL.
#
# A KVM device proves nothing (it may be emulated in a way that Debian kernels
# do not survive), so KVM is tried once with a short boot and the answer kept in
# $O/vm/accel; without it qemu emulates, which is slower and says so.
set -u
cd "$(dirname "$0")/.." || exit 1
label=$1
O=${O:-.output}
TEST=${TEST:-}
BOOT_LIMIT=${BOOT_LIMIT:-300}	# seconds until the first test runs
TEST_LIMIT=${TEST_LIMIT:-1500}	# seconds a test may take inside
KVM_LIMIT=${KVM_LIMIT:-20}	# seconds a boot with KVM may take
VM_CPUS=${VM_CPUS:-2}	# two, so that there is something to race with
results=0
pid=

not_ok() { results=$((results + 1)); echo "not ok $results - $1"; }
ok() { results=$((results + 1)); echo "ok $results - $1"; }
finish() { echo "1..$results"; exit 0; }

# vng and its qemu are one process group: what hangs is ended as a whole.
stop() { [ -n "$pid" ] && kill -KILL -- "-$pid" 2>/dev/null; pid=; }
trap stop EXIT
trap 'exit 130' INT TERM

if ! image=$(vmtest/fetch.sh "$label" 2>"$O/log/vm-fetch-$label.log"); then
	sed 's/^/# /' "$O/log/vm-fetch-$label.log"
	if [ -z "${XI_VM_REQUIRED:-}" ]; then
		echo "1..0 # SKIP kernel $label or virtme-ng cannot be had from this machine's package source"
		exit 0
	fi
	not_ok "kernel $label is unpacked"
	finish
fi
vm=$(cd "$O/vm" && pwd)
out=$vm/out-$label
rm -rf "$out"
mkdir -p "$out"
export PYTHONPATH=$vm/virtme/usr/lib/python3/dist-packages
export PATH=$vm/virtme/usr/bin:$PATH:/usr/sbin:/sbin

# boot SECONDS LOG VNG-OPTIONS...: 0 if the VM ended by itself in that time.
boot()
{
	local end=$((SECONDS + $1)) log=$2 rc=0
	shift 2
	setsid /usr/bin/python3 "$vm/virtme/usr/bin/vng" -r "$image" --force-9p -v --cpus "$VM_CPUS" \
		--memory 1536M --append panic=-1 --rwdir "$out=$out" "$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# Short naps, so that a signal to this script is heard and ends the VM.
	while kill -0 "$pid" 2>/dev/null; do
		[ $SECONDS -lt $end ] || { rc=1; break; }
		sleep 0.5
	done
	stop
	wait 2>/dev/null
	return $rc
}

# Emulated, both CPUs take turns in one thread: another machine or the tests of this one have
# the other CPU, and the guest's CPUs never wait for one of theirs that does not run. What a
# program of the same addresses was translated to serves the next one (norandmaps), and an
# indirect jump is one jump, not the detour that real CPUs need (spectre_v2). The verifier asks
# for neither.
accel=(--disable-kvm "--qemu-opts=-accel tcg,thread=single"
       --append norandmaps --append spectre_v2=off)
if [ -e /dev/kvm ]; then
	if [ ! -e "$vm/accel" ]; then
		echo no >"$vm/accel"
		boot "$KVM_LIMIT" "$out/kvm.log" --exec "echo yes >$out/kvm"
		[ "$(cat "$out/kvm" 2>/dev/null)" = yes ] && echo yes >"$vm/accel"
	fi
	[ "$(cat "$vm/accel")" = yes ] && accel=()
fi
if [ ${#accel[@]} -gt 0 ]; then
	echo "# $(basename "$image"): emulated (KVM is absent or does not boot this kernel)"
else
	echo "# $(basename "$image"): KVM"
fi
set=$(awk -v l="$label" '$1 == l { print $4 }' vmtest/kernels.txt)
[ -z "${XI_FULL:-}" ] || set=all

tests=
for test in vmtest/tests/*.sh; do
	case "$test" in *lib.sh) continue ;; esac
	case "${test##*/}" in *"$TEST"*) ;; *) continue ;; esac
	tests="$tests $test"
	echo "not run" >"$out/$(basename "$test" .sh).status"
done
if [ -z "$tests" ]; then
	echo "no test named *$TEST* in vmtest/tests" >&2
	exit 1
fi

limit=$((BOOT_LIMIT + $(wc -w <<<"$tests") * TEST_LIMIT))
t0=$SECONDS
boot "$limit" "$out/console.log" ${accel[@]+"${accel[@]}"} \
	--exec "cd $PWD && O=$(cd "$O" && pwd) XI_DATA=${XI_DATA:-../shared/data} LIMIT=$TEST_LIMIT XI_QUICK=1 XI_SLOW=5 XI_SET=$set bash vmtest/guest.sh $out $tests"
if [ -s "$out/booted" ]; then
	ok "kernel $(cat "$out/kernel") boots (first test after $(cat "$out/booted") s, all in $((SECONDS - t0)) s)"
else
	not_ok "kernel $label boots: it did not reach the first test; see $out/console.log"
	tail -n 12 "$out/console.log" | sed 's/^/# /'
fi

for test in $tests; do
	name=$(basename "$test" .sh)
	read -r status seconds <"$out/$name.status"
	case "$status" in
	0) echo "# $name took ${seconds} s" ;;
	124 | 137) not_ok "$name: ran into its time limit of $TEST_LIMIT s" ;;
	not | running) not_ok "$name: the VM ended before it was done (\"$status ${seconds:-}\")" ;;
	esac
	[ -e "$out/$name.tap" ] || continue
	# Its results become ours; a count that is not its plan is a failure.
	# cmocka prints a skipped test as "not ok N # SKIP name", the reason before.
	said=
	while IFS= read -r line; do
		case "$line" in
		"not ok "*"# SKIP "*) ok "$name: ${line##*# SKIP } # SKIP $said" ;;
		"ok "*) ok "$name: $(sed 's/^ok *[0-9]* *-* *//' <<<"$line")" ;;
		"not ok "*) not_ok "$name: $(sed 's/^not ok *[0-9]* *-* *//' <<<"$line")" ;;
		"#"*) echo "$line"; said=${line#\# } ;;
		*) echo "# $line"; said=${line#skipped: } ;;
		esac
	done <"$out/$name.tap"
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out/$name.tap" | awk '{ n += $1 } END { print n + 0 }')
	seen=$(grep -cE '^(not )?ok( |$)' "$out/$name.tap")
	failed=$(grep -E '^not ok' "$out/$name.tap" | grep -vc '# SKIP')
	[ "$planned" -gt 0 ] && [ "$planned" -eq "$seen" ] ||
		not_ok "$name: planned $planned results and reported $seen"
	case "$status" in
	0 | 124 | 137 | not | running) ;;
	*) [ "$failed" -gt 0 ] || not_ok "$name: ended with status $status" ;;
	esac
done

# A kernel that complained fails the run, whatever the tests say.
if [ -s "$out/dmesg" ]; then
	if grep -nE -f vmtest/splats.deny "$out/dmesg" | grep -vE -f <(grep -v '^#' vmtest/splats.allow) \
		>"$out/splats"; then
		not_ok "the kernel log is clean"
		head -n 20 "$out/splats" | sed 's/^/# /'
	else
		ok "the kernel log is clean"
	fi
else
	not_ok "the kernel log is clean: it was not saved"
fi
finish
