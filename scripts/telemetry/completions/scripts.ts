import type { CompletedCommand } from "./command-tree.ts";

/** The shells that have a script. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A script for a shell: it defines the command `telemetry`, and completes its commands, options and known values.
 *  @param program the words that run the program */
export function completionScript(
  shell: Shell,
  program: readonly string[],
  commands: readonly CompletedCommand[],
): string {
  return { bash, zsh, fish }[shell](program.map(quoted).join(" "), commands);
}

function bash(program: string, commands: readonly CompletedCommand[]): string {
  return `telemetry() { ${program} "$@"; }
_telemetry() {
  local word at= words= cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
      ${pathsOf(commands)}) at="$at/$word" ;;
    esac
  done
  case "$at:$prev" in
${valueCases(commands, (values) => `words=${quoted(values.join(" "))}`)}
    *) case "$at" in
${commands.map((each) => `      ${quoted(each.path)}) words=${quoted(wordsOf(each).join(" "))} ;;`).join("\n")}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _telemetry telemetry`;
}

function zsh(program: string, commands: readonly CompletedCommand[]): string {
  const entries = (each: CompletedCommand): string => describedWords(each).map(zshEntry).join(" ");
  return `telemetry() { ${program} "$@"; }
_telemetry() {
  local word at= prev=\${words[CURRENT-1]}
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${pathsOf(commands)}) at="$at/$word" ;;
    esac
  done
  case "$at:$prev" in
${valueCases(commands, (values) => `entries=(${values.map(quoted).join(" ")})`)}
    *) case "$at" in
${commands.map((each) => `      ${quoted(each.path)}) entries=(${entries(each)}) ;;`).join("\n")}
    esac ;;
  esac
  _describe telemetry entries
}
(( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
compdef _telemetry telemetry`;
}

function fish(program: string, commands: readonly CompletedCommand[]): string {
  const at = (path: string): string => `-n 'test "$(__telemetry_at)" = "${path}"'`;
  const lines = commands.flatMap(({ path, options, choices, ...each }) => [
    ...each.commands.map(({ name, description }) => `${at(path)} -a ${quoted(name)} -d ${quoted(description)}`),
    ...(choices.length === 0 ? [] : [`${at(path)} -a ${quoted(choices.join(" "))}`]),
    ...options.map(({ flag, description, takesValue, choices: values }) => {
      const value = values.length === 0 ? "" : ` -a ${quoted(values.join(" "))}`;
      return `${at(path)} -l ${flag.slice(2)} -d ${quoted(description)}${takesValue ? ` -x${value}` : ""}`;
    }),
  ]);
  return `function telemetry; ${program} $argv; end
function __telemetry_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at/$word"
      case ${pathsOf(commands).split("|").join(" ")}
        set at "$at/$word"
    end
  end
  echo "$at"
end
complete -c telemetry -e
complete -c telemetry -f
${lines.map((line) => `complete -c telemetry ${line}`).join("\n")}`;
}

/** What follows a command: its commands and options, and the values of its argument. */
function wordsOf({ commands, options, choices }: CompletedCommand): string[] {
  return [...commands.map(({ name }) => name), ...choices, ...options.map(({ flag }) => flag)];
}

function describedWords({ commands, options, choices }: CompletedCommand): (readonly [string, string])[] {
  return [
    ...commands.map(({ name, description }) => [name, description] as const),
    ...choices.map((choice) => [choice, ""] as const),
    ...options.map(({ flag, description }) => [flag, description] as const),
  ];
}

/** An entry of zsh's _describe: a colon parts the word from its description. */
function zshEntry([word, description]: readonly [string, string]): string {
  return quoted(description === "" ? word : `${word}:${description.replaceAll(":", "\\:")}`);
}

/** The lines of a case for the options that take a value. */
function valueCases(commands: readonly CompletedCommand[], assign: (values: readonly string[]) => string): string {
  const cases = commands.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(
        ({ flag, choices }) => `    ${quoted(`${path}:${flag}`)}) ${choices.length === 0 ? "" : assign(choices)} ;;`,
      ),
  );
  return cases.join("\n");
}

function pathsOf(commands: readonly CompletedCommand[]): string {
  return commands
    .slice(1)
    .map(({ path }) => path)
    .join("|");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
