import pino, { type Logger } from "pino";
import pretty from "pino-pretty";

/** The process's log on standard output: readable text on a terminal, one JSON object per line
 *  elsewhere, with the level as a word, so that `grep -i error` finds errors. */
export function makeLog(level: string, isTerminal: boolean): Logger {
  if (!isTerminal) return pino({ level, formatters: { level: (label) => ({ level: label }) } });
  return pino({ level }, pretty({ sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" }));
}
