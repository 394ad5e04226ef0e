// The number of edits between two names; 4 KB without dependencies, and the fastest of its kind.
import { distance } from "fastest-levenshtein";
import { settingNames } from "./parse-config.ts";

/** Variables that begin so say who may do what: one that is no setting is told even if it resembles none. */
const guardedPrefix = /^(?:AUTH|TLS)_/;
/** In a shorter name, a single edit leads to names of other programs, such as HOME. */
const editedLength = 8;

/** The variables that are no setting but seem to be meant as one, each as a sentence; the process would otherwise start as if
 *  they were absent, open to everyone for example. Values are not shown: they may be secrets. */
export function misspelledSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const names = settingNames();
  return Object.keys(env).flatMap((given) => {
    if (!env[given] || names.includes(given)) return [];
    const meant = settingMeantBy(given, names);
    if (meant !== undefined) return [`${given} is no setting, and has no effect: ${meant} seems to be meant`];
    return guardedPrefix.test(given) ? [`${given} is no setting, and has no effect: 'bun run config' shows all`] : [];
  });
}

/** The setting of which a name is a misspelling: it has other underscores, two exchanged letters, an s too many, or in long names another
 *  letter. Undefined if there is none. */
export function settingMeantBy(given: string, names: readonly string[]): string | undefined {
  const isMeant = (name: string): boolean =>
    plain(name) === plain(given) ||
    `${name}S` === given ||
    isExchanged(name, given) ||
    (name.length >= editedLength && distance(name, given) === 1);
  return names.find((name) => plain(name) === plain(given)) ?? names.find(isMeant);
}

const plain = (name: string): string => name.replaceAll(/[_-]/g, "");

/** True if two neighbouring letters are exchanged, and all others are the same. */
function isExchanged(name: string, given: string): boolean {
  if (name.length !== given.length) return false;
  const first = [...name].findIndex((letter, index) => letter !== given[index]);
  return (
    name[first] !== name[first + 1] &&
    `${name.slice(0, first)}${name[first + 1]}${name[first]}${name.slice(first + 2)}` === given
  );
}
