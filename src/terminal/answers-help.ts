import { version } from "../../package.json";
import { print } from "./print.ts";

/** Prints how a command is used, or its version, if its arguments ask for that. A command asks this first: it does nothing else then.
 *  @param args the arguments after the command
 *  @param usage what the command does, and what it takes
 *  @returns whether they ask for it */
export function answersHelp(args: readonly string[], usage: string): boolean {
  const asks = args.includes("--help") || args.includes("-h");
  if (asks) print(usage.trimEnd());
  return asks || answersVersion(args);
}

/** Prints the version if the arguments ask for it. @returns whether they do */
export function answersVersion(args: readonly string[]): boolean {
  const asks = args.includes("--version");
  if (asks) print(version);
  return asks;
}
