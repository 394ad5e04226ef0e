// The number of edits between two names; 4 KB without dependencies, and the fastest of its kind.
import { distance } from "fastest-levenshtein";
import { settingNames } from "./parse-config.ts";

/** Variables that begin so say who may do what: one that is no setting is told even if it resembles none. */
const guardedPrefix = /^(?:AUTH|TLS)_/;

/** The variables that are no setting but seem to be meant as one, each as a sentence; the process would otherwise start as if
 *  they were absent, open to everyone for example. Values are not shown: they may be secrets. */
export function misspelledSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const names = settingNames();
  return Object.keys(env).flatMap((given) => {
    if (!env[given] || names.includes(given)) return [];
    const [meant] = names.filter((name) => name.length >= 8 && distance(name, given) === 1);
    if (meant !== undefined) return [`${given} is no setting, and has no effect: ${meant} seems to be meant`];
    return guardedPrefix.test(given) ? [`${given} is no setting, and has no effect: 'bun run config' shows all`] : [];
  });
}
