/** Writes a line to standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** A whole number with separators between the thousands. */
export const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");
