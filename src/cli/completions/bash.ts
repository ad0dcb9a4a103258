/** Completions for bash. */
import type { Command } from "../commands/command.ts";
import { optionsOf, type Spoken, takesWord } from "./spoken.ts";

const written = ({ name, short }: Spoken): string[] =>
  short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];

const wordsOf = (options: readonly Spoken[]): string => options.flatMap(written).join(" ");

/** How bash shows the option before its value; one that may stand without needs its sign. */
const before = (option: Spoken): string =>
  takesWord(option) ? written(option).join(" | ") : `--${option.name}=`;

/** The branches of a `case` for the options' values; a path is what bash completes by itself. */
function branches(options: readonly Spoken[]): string[] {
  const lines: string[] = [];
  const others: string[] = [];
  for (const option of options) {
    const { value } = option;
    if (value === null) continue;
    if (value.words.length > 0)
      lines.push(`${before(option)}) words='${value.words.join(" ")}' ${value.isPath ? "" : "files=no "};;`);
    else if (!value.isPath) others.push(before(option));
  }
  if (others.length > 0) lines.push(`${others.join(" | ")}) words=' ' files=no ;;`);
  return lines;
}

/** The options of one command, and what their values may be. */
function branch(pattern: string, options: readonly Spoken[], operands: Command["operands"]): string {
  const values = branches(options);
  const cases =
    values.length === 0
      ? ""
      : `\t\tcase $prev in\n${values.map((line) => `\t\t${line}\n`).join("")}\t\tesac\n`;
  return `\t${pattern})
${cases}		options='${wordsOf(options)}'
		operands='${Array.isArray(operands) ? operands.join(" ") : ""}'
		;;`;
}

export function bash(commands: readonly Command[]): string {
  const optional = optionsOf().filter(({ kind }) => kind === "optional");
  const unlessJoined = `[[ $prev == --@(${optional.map(({ name }) => name).join("|")}) ]] && prev+==`;
  const names = commands.map(({ name }) => name).join(" ");
  const rows = commands.map((one) => branch(one.name, optionsOf(one), one.operands));
  return `# bash completion for ns; made by: ns completions bash
_ns() {
	local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} options operands words files i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ \${COMP_WORDS[i]} == -- ]] && return
	done
	# bash splits --name=value at the sign
	if [[ $cur == = ]]; then
		cur=
		${unlessJoined}
	elif [[ $prev == = ]]; then
		prev=\${COMP_WORDS[COMP_CWORD - 2]}
		${unlessJoined}
	fi
	case \${COMP_WORDS[1]} in
${rows.join("\n")}
${branch("*", optionsOf(), undefined)}
	esac
	if [[ $words ]]; then
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		[[ $files ]] && compopt +o default +o bashdefault
		return 0
	fi
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$options --" -- "$cur"))
		return 0
	fi
	[[ $COMP_CWORD == 1 ]] && operands+=' ${names}'
	[[ $operands ]] && COMPREPLY=($(compgen -W "$operands" -- "$cur"))
	[[ $COMP_CWORD == 1 && $cur ]] && COMPREPLY+=($(compgen -f -- "$cur"))
	return 0
}
complete -o default -o bashdefault -F _ns ns`;
}
