import { prettyFactory } from "pino-pretty";
import { visible } from "../../src/domain/visible-text.ts";
import { visibleEntry } from "../../src/terminal/visible-entry.ts";

const pretty = prettyFactory({
  colorize: false,
  ignore: "pid,hostname",
  translateTime: "SYS:HH:MM:ss",
  singleLine: true,
});

/** A line of a log as people read it: an entry as its time, level and message on one line, anything else as it is. Characters that
 *  deceive or control a terminal are escaped. */
export function printableLine(line: string): string {
  return line.startsWith("{")
    ? pretty(visibleEntry(line))
        .trimEnd()
        .replace(/\s*\n\s*/g, " ")
    : visible(line);
}
