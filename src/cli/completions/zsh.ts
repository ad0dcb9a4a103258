/** Completions for zsh, for a file _ns in a directory of fpath. */
import type { Command } from "../commands/command.ts";
import { optionsOf, type Spoken } from "./spoken.ts";

/** A text between single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** A text where _arguments gives brackets, colons and backslashes a meaning. */
const plain = (text: string): string => text.replace(/[[\]:\\]/g, "\\$&");

/** What completes an option's value. */
function action({ value }: Spoken): string {
  if (value === null) return "";
  if (value.isPath && value.words.length > 0)
    return `_alternative "words:word:(${value.words.join(" ")})" "files:file:_files"`;
  if (value.isPath) return "_files";
  return value.words.length > 0 ? `(${value.words.join(" ")})` : " ";
}

/** The words for _arguments that tell of an option. */
function argument(option: Spoken): string {
  const { name, short, kind, help, hint } = option;
  const value =
    kind === "switch" ? "" : `${kind === "optional" ? "::" : ":"}${plain(hint)}:${action(option)}`;
  const sign = kind === "switch" ? "" : kind === "optional" ? "=-" : "=";
  const long = `--${name}${sign}`;
  const rest = `[${plain(help)}]${value}`;
  if (short === undefined) return quoted(kind === "list" ? `*${long}${rest}` : `${long}${rest}`);
  const letter = `-${short}${kind === "switch" ? "" : "+"}`;
  const before = kind === "list" ? "\\*" : `'(-${short} --${name})'`;
  return `${before}{${letter},${long}}${quoted(rest)}`;
}

const list = (options: readonly Spoken[], more: readonly string[]): string =>
  [...options.map(argument), ...more.map(quoted)].map((word) => `\t\t\t${word}`).join(" \\\n");

function operandsOf({ operands }: Command): string {
  return Array.isArray(operands) ? `*:word:(${operands.join(" ")})` : "*:file:_files";
}

export function zsh(commands: readonly Command[]): string {
  const described = commands.map(({ name, summary }) => quoted(`${plain(name)}:${summary}`));
  const branches = commands.map(
    (one) => `	${one.name})
		shift words
		((CURRENT--))
		_arguments -s -S \\
${list(optionsOf(one), [operandsOf(one)])}
		;;`,
  );
  return `#compdef ns
# zsh completion for ns; made by: ns completions zsh
_ns_first() {
	local -a commands=(${described.join(" ")})
	_describe -t commands command commands
	_files
}
_ns() {
	case \${words[2]} in
${branches.join("\n")}
	*)
		_arguments -s -S \\
${list(optionsOf(), ["1:command or PRE:_ns_first", "*:file:_files"])}
		;;
	esac
}
if [[ $funcstack[1] == _ns ]]; then _ns "$@"; else compdef _ns ns; fi`;
}
