import pino, { type Logger } from "pino";
import { logSerializers } from "../src/terminal/log.ts";

/** A log that makes its entries as that of a process does, and drops them. A silent one would not make them, so that a test would
 *  not see an error that is thrown meanwhile. */
export function unshownLog(): Logger {
  return pino({ serializers: logSerializers }, { write: () => undefined });
}
