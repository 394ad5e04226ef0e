// A spreadsheet runs a cell as a formula if its text begins with = + - or @, also behind blanks. Where a locale writes ; between
// cells, or an import chooses a tab, the text behind it is a cell as well, and so is a new line.

const blank = '\\s\\p{Z}\\p{Cc}\\p{Cf}\\p{Default_Ignorable_Code_Point}"';
const signs = "[=+@\\-\\uff1d\\uff0b\\uff0d\\uff20]";
const formula = new RegExp(`^(?=[\\t\\r])|(?<=^|[;\\t\\r\\n])(?=[${blank}]*${signs})`, "gu");
const formulaInJson = new RegExp(`(?<=;[${blank}\\\\]*)${signs}`, "gu");

/** A text in a cell: `'` stands before what a spreadsheet would run as a formula. */
export function textCell(text: string): string {
  return text.replace(formula, "'");
}

/** An object or a list in a cell, as JSON that a spreadsheet does not run. */
export function jsonCell(value: object): string {
  const escape = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(formulaInJson, escape);
}
