import { parse } from "csv-parse/sync";

/** Splits rows into their fields with csv-parse: a quote in an unquoted field is text, and a CR alone is data.
 *  @param bytes whole rows with their line ends; blank lines between them are skipped
 *  @param delimiter a comma, even in files with another one, unless the bytes are those of the file (see `translationOf`)
 *  @returns the fields of each row; undefined if csv-parse refuses the bytes */
export function csvFields(bytes: Buffer, delimiter = ","): string[][] | undefined {
  try {
    return parse(bytes, {
      delimiter,
      record_delimiter: ["\n", "\r\n"],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
  } catch {
    return undefined;
  }
}
