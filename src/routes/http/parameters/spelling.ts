/** How an API writes what its texts refer to: REST and GraphQL name the same things differently. */
export interface Spelling {
  /** A parameter or a field of an answer. */
  readonly name: (name: string) => string;
  /** A value of a choice. */
  readonly value: (value: string) => string;
  /** What follows the noun of a parameter that takes several values. */
  readonly listSuffix: string;
}

/** A text for the users of an API. */
export type Text = string | ((spelling: Spelling) => string);

/** As REST writes it: names and values as they are in URLs and in JSON. */
export const restSpelling: Spelling = {
  name: (name) => name,
  value: (value) => value,
  listSuffix: " with commas between them",
};

/** The text in an API's spelling. */
export function spelled(text: Text, spelling: Spelling): string {
  return typeof text === "string" ? text : text(spelling);
}
