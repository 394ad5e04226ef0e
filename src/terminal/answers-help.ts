import { version } from "../../package.json";
import { print, printText } from "./print.ts";

/** Prints how a command is used, or its version, if its arguments ask for that. A command asks this first: it does nothing else then.
 *  @param args the arguments after the command
 *  @param usage what the command does, and what it takes
 *  @returns whether they ask for it */
export function answersHelp(args: readonly string[], usage: string): boolean {
  const asksHelp = args.includes("--help") || args.includes("-h");
  const asksVersion = !asksHelp && args.includes("--version");
  if (asksHelp) printText(usage.trimEnd());
  if (asksVersion) print(version);
  return asksHelp || asksVersion;
}
