import { prettyFactory } from "pino-pretty";

const pretty = prettyFactory({
  colorize: false,
  ignore: "pid,hostname",
  translateTime: "SYS:HH:MM:ss",
  singleLine: true,
});

/** A line of a log as people read it: an entry as its time, level and message, anything else as it is, without characters that
 *  control a terminal. */
export function printableLine(line: string): string {
  const text = line.startsWith("{") ? pretty(line).trimEnd() : line;
  return text.replace(/[\p{Cc}]/gu, (control) => (control === "\t" ? control : " "));
}
