import type { Command } from "commander";

const unknownOption = /^error: unknown option '(--[\w-]+)(?:=[^']*)?'\s*$/;

/** Makes errors of a program and of its commands, which are added later, say what was probably meant.
 *  @param args those of the command line */
export function explainErrors(program: Command, args: readonly string[]): void {
  program
    // explanations wrap between words on narrow terminals, too
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({ outputError: (text, write) => write(withMeantOption(text, program, args)) })
    .showHelpAfterError("(--help lists commands and options)");
}

/** An error about an unknown option, with the option that was probably meant: its name is the beginning of the unknown one, such as --host
 *  of --hostname, or the other way round. commander proposes those that differ by letters.
 *  @param args those of the command line */
export function withMeantOption(text: string, program: Command, args: readonly string[]): string {
  const [, unknown] = unknownOption.exec(text) ?? [];
  if (unknown === undefined) return text;
  const known = [...commandOf(program, args).options, ...program.options].flatMap(({ long }) => long ?? []);
  const meant = known.find((name) => unknown.startsWith(name) || name.startsWith(unknown));
  return meant === undefined ? text : `${text.trimEnd()}\n(Did you mean ${meant}?)\n`;
}

/** The command that the arguments name. */
function commandOf(program: Command, args: readonly string[]): Command {
  let command = program;
  for (const name of args) {
    command = command.commands.find((each) => each.name() === name || each.aliases().includes(name)) ?? command;
  }
  return command;
}
