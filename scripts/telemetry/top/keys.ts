/** A character, or the name of a key without one: up, page-down, escape. */
export type Key = string;

const names: Readonly<Record<string, Key>> = {
  ...{ "\u0003": "ctrl-c", "\r": "enter", "\n": "enter", "\u007f": "backspace", "\b": "backspace" },
  ...{ "\u001b[A": "up", "\u001b[B": "down", "\u001bOA": "up", "\u001bOB": "down" },
  ...{ "\u001b[5~": "page-up", "\u001b[6~": "page-down" },
  ...{ "\u001b[H": "home", "\u001bOH": "home", "\u001b[1~": "home", "\u001b[7~": "home" },
  ...{ "\u001b[F": "end", "\u001bOF": "end", "\u001b[4~": "end", "\u001b[8~": "end" },
};

const escape = "\u001b";
/** A sequence that a key sends: CSI (ECMA-48, 5.4), or SS3 with one character. */
const sequence = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/;
const beginning = /^(?:\[[0-?]*[ -/]*|O)?$/;

/** The keys in what a terminal sent. Sequences of other keys are left out.
 *  @returns also the beginning of a sequence whose end has not arrived; the key Escape alone sends no more than that */
export function keysIn(input: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let left = input;
  while (left !== "") {
    if (left.startsWith(escape)) {
      const after = left.slice(1);
      if (beginning.test(after)) return { keys, rest: left };
      const found = sequence.exec(after)?.[0];
      const key = found === undefined ? "escape" : names[`${escape}${found}`];
      if (key !== undefined) keys.push(key);
      left = after.slice(found?.length ?? 0);
      continue;
    }
    const [character = ""] = left;
    const key = names[character] ?? character;
    if (key.length > 1 || character >= " ") keys.push(key);
    left = left.slice(character.length);
  }
  return { keys, rest: "" };
}
