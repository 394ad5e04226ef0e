import { Argument, type Command } from "commander";
import { commandTree } from "./command-tree.ts";
import { print } from "../../../src/terminal/print.ts";
import { completionScript, type Shell, shells } from "./scripts.ts";

/** Adds the command `completions`. */
export function addCompletions(program: Command): void {
  program
    .command("completions")
    .description("script for a shell that defines the command telemetry, and completes it")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .action((shell: Shell) => {
      const words = [process.execPath, Bun.main];
      print(completionScript(shell, words, commandTree(program)));
    });
}
