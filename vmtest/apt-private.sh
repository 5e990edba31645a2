#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Downloads packages of any suite of the machine's own Debian mirror and unpacks
# them under DIR, without touching the machine: package lists, cache and state
# of this apt live under DIR/../apt, nothing is installed, no source is added.
#
#   apt-private.sh DIR SUITE PACKAGE...    unpack PACKAGE... of SUITE into DIR
#   apt-private.sh --newest SUITE PACKAGE  print what the metapackage depends on
#
# The mirror's address is read from the machine's configuration, and signatures
# are checked against the installed debian-archive-keyring.
set -eu

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
out=${O:-.output}
mkdir -p "$out/apt"
base=$(cd "$out/apt" && pwd)
. /etc/os-release

# Each file of the configuration is asked alone: a source that apt refuses (two
# files that disagree about a keyring, say) must not hide the good ones.
mirror()
{
	local f

	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		 /etc/apt/sources.list.d/*.sources; do
		[ -r "$f" ] || continue
		apt-get indextargets -o Dir::Etc::sourcelist="$f" -o Dir::Etc::sourceparts=/dev/null \
			--format '$(CODENAME) $(COMPONENT) $(REPO_URI)' "Created-By: Packages" 2>/dev/null
	done | awk -v c="$VERSION_CODENAME" '$1 == c && $2 == "main" { print $3; exit }'
}

# Prepares the private apt of one suite and refreshes its lists once a day.
setup()
{
	local suite=$1 uri

	dir=$base/$suite
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	opts=(-qq -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
	      -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status"
	      -o Dir::State::extended_states="$dir/extended" -o Dir::Cache="$dir/cache"
	      -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
	      -o Acquire::Languages=none -o APT::Sandbox::User=root -o Debug::NoLocking=1)
	if [ -n "$(find "$dir/stamp" -mmin -1440 2>/dev/null)" ]; then
		return
	fi
	uri=$(mirror)
	if [ -z "$uri" ]; then
		echo "apt-private: no source for $VERSION_CODENAME main is configured here" >&2
		exit 1
	fi
	echo "deb [signed-by=$keyring] $uri $suite main" >"$dir/sources.list"
	echo "  APT     reading the package list of $suite (private, under $out/apt)" >&2
	apt-get "${opts[@]}" update >&2
	touch "$dir/stamp"
}

if [ "$1" = --newest ]; then
	setup "$2"
	apt-cache "${opts[@]}" show "$3" | sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | head -1
	exit
fi

dest=$1 suite=$2
shift 2
setup "$suite"
mkdir -p "$dest"
for pkg; do
	stamp=$dest/.unpacked-$pkg
	[ -e "$stamp" ] && continue
	echo "  UNPACK  $pkg ($suite) -> $dest" >&2
	(cd "$dir/cache/archives" && rm -f "${pkg}"_*.deb && apt-get "${opts[@]}" download "$pkg" >&2)
	dpkg-deb -x "$dir/cache/archives/${pkg}"_*.deb "$dest"
	rm -f "$dir/cache/archives/${pkg}"_*.deb
	touch "$stamp"
done
