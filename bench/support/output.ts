/** Writes a line to standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** A number as text: rounded to an integer, with commas between groups of three digits. */
export const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");
