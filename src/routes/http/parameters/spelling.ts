/** How an API spells the names in its texts: REST and GraphQL spell the same names differently. */
export interface Spelling {
  /** A parameter or a field of an answer. */
  readonly name: (name: string) => string;
  /** A value of a choice. */
  readonly value: (value: string) => string;
  /** Follows the noun of a parameter that takes several values. */
  readonly listSuffix: string;
}

/** A text for the users of an API. */
export type Text = string | ((spelling: Spelling) => string);

/** REST's spelling: the names and values of URLs and JSON. */
export const restSpelling: Spelling = {
  name: (name) => name,
  value: (value) => value,
  listSuffix: ", separated by commas",
};

/** The text in an API's spelling. */
export function spelled(text: Text, spelling: Spelling): string {
  return typeof text === "string" ? text : text(spelling);
}
