import { UndecodableBlock } from "../errors.ts";

/** Decodes something that has a name, such as a column of a block.
 *  @param name what an error begins with, such as "column power_draw"
 *  @throws UndecodableBlock, which names it */
export function decodePart<T>(name: () => string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof UndecodableBlock)) throw cause;
    throw new UndecodableBlock(`${name()}: ${cause.message}`, { cause: cause.cause });
  }
}

/** Decodes a column of a table. @throws UndecodableBlock, which names it as `damaged_blocks()` does */
export function decodeNamedColumn<T>(column: string, decode: () => T): T {
  return decodePart(() => `column ${column}`, decode);
}
