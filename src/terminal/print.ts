import { visibleLines } from "../domain/visible-text.ts";

/** Prints lines to standard output. Characters that deceive or control a terminal are escaped. */
export function print(text: string): void {
  process.stdout.write(`${visibleLines(text)}\n`);
}

/** Prints lines to standard error, like `print`. */
export function printError(text: string): void {
  process.stderr.write(`${visibleLines(text)}\n`);
}
