/** How an API spells the names in its texts: REST and GraphQL spell the same names differently. */
export interface Spelling {
  /** Spells the name of a parameter, or of a field of an answer. */
  readonly name: (name: string) => string;
  /** Spells a value of a choice. */
  readonly value: (value: string) => string;
  /** Says how the values of a list are separated; added to a text about a list. */
  readonly listSuffix: string;
}

/** A text for the users of an API; a function if the spelling of the API matters. */
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
