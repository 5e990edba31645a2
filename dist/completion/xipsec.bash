# SPDX-License-Identifier: BSD-2-Clause
# bash completion for xipsec. Commands come from `xipsec help` itself, so they
# cannot fall behind.
_xipsec()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word command= i

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case "$word" in
		--instance) i=$((i + 1)) ;;
		-*) ;;
		*) command=$word; break ;;
		esac
	done
	case "$prev" in
	--instance)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/xipsec 2>/dev/null)" -- "$cur")
		return
		;;
	esac
	case "$command" in
	'')
		mapfile -t COMPREPLY < <(compgen -W "--instance --version $("${COMP_WORDS[0]}" help \
			2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')" -- "$cur")
		;;
	show)
		mapfile -t COMPREPLY < <(compgen -W "status policy filters mm qm peers stats exemptions --json" -- "$cur")
		;;
	explain)
		case "$prev" in
		--proto) word="tcp udp icmp icmpv6" ;;
		--interface) word="lan remote-access" ;;
		*) word="--live --in --out --local --remote --proto --local-port --remote-port --icmp-type --icmp-code --interface --later-fragment --me --near --json" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur"; compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	check | compile)
		word="--json --me"
		[ "$command" = compile ] && word="$word --stats"
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur"; compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	monitor)
		case "$prev" in
		--verdict) word="permit block secure none" ;;
		*) word="--in --out --verdict --rule --reason --dropped --events --sample --count --json" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	esac
}
complete -F _xipsec xipsec
