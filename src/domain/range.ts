/** A place in a source: between two rows, never inside one. */
export interface Position {
  /** Byte offset in a file; the simulator counts readings of GPUs. */
  readonly offset: number;
  /** Line number of the row that starts here, from 1; 0 where the source has no lines. */
  readonly line: number;
}

/** A stretch of a source, `from` inclusive, `to` exclusive. */
export interface Stretch {
  readonly from: Position;
  readonly to: Position;
}

/** A stretch and the source it belongs to. */
export interface SourceRange extends Stretch {
  readonly sourceId: string;
}
