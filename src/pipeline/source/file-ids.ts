/** What identifies a file as a source. */
export interface FileIds {
  /** Made from the file's name and all of its content. */
  readonly id: string;
  /** What versions up to 0.1.0 gave the file: it is made from the name, the first 64 KiB and the size. */
  readonly earlierId: string;
  /** Made from all bytes; undefined if the two ids are the same, because the file is short. */
  readonly digest: string | undefined;
}

/** Chooses the id of a file, so that a file that an earlier version has read keeps the id that it had. */
export type ChooseId = (ids: FileIds) => Promise<string>;

/** The id that follows from the content alone. */
export const idOfContent: ChooseId = ({ id }) => Promise.resolve(id);
