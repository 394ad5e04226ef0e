/** What a command has printed. */
export interface Printed {
  readonly output: string;
  /** The beginning of its standard error. */
  readonly errors: string;
  /** 0 for success; -1 if a signal ended it. */
  readonly exitCode: number;
}

/** Where the XML comes from: nvidia-smi itself, or a command that prints the same. */
export interface SmiProgram {
  /** A description for people, such as "nvidia-smi". */
  readonly name: string;
  /** Prints the document.
   *  @throws SmiFailed if the command cannot be run, does not end in time, prints too much, or was stopped by the signal */
  query(signal: AbortSignal): Promise<Printed>;
  /** Prints the list of GPUs and MIG devices, as `nvidia-smi -L` does; undefined if the program cannot.
   *  @throws SmiFailed like `query` */
  readonly list: ((signal: AbortSignal) => Promise<Printed>) | undefined;
}
