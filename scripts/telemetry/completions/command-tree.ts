import type { Command } from "commander";

/** An option of a command, as it is completed. */
export interface CompletedOption {
  readonly flag: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** The values that it accepts, if these are known. */
  readonly choices: readonly string[];
}

/** A command with what may follow its name. */
export interface CompletedCommand {
  /** The names that lead to it, each after a slash; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** The values of its first argument, if these are known. */
  readonly choices: readonly string[];
}

/** The commands of a program, the program itself first. Options of the program are those of each command. */
export function commandTree(program: Command): CompletedCommand[] {
  const common = optionsOf(program);
  const walk = (command: Command, path: string): CompletedCommand[] => {
    const own = command === program ? [] : optionsOf(command);
    const help = { flag: "--help", description: "show what it does", takesValue: false, choices: [] };
    const described = command.commands.map((each) => ({ name: each.name(), description: each.description() }));
    const choices = command.registeredArguments[0]?.argChoices ?? [];
    const entry = { path, commands: described, options: [...own, ...common, help], choices };
    return [entry, ...command.commands.flatMap((each) => walk(each, `${path}/${each.name()}`))];
  };
  return walk(program, "");
}

function optionsOf(command: Command): CompletedOption[] {
  return command.options.map(({ long, description, required, argChoices = [] }) => ({
    flag: long ?? "",
    description,
    takesValue: required,
    choices: argChoices,
  }));
}
