import pino from "pino";

/** How many causes of an error are followed. */
const causesMax = 10;

/** An error as an entry of the log has it, with the messages of its causes. A message often ends with that of its cause, which is then not
 *  repeated. Anything else that was thrown stays as it is. */
export function errorEntry(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const entry = pino.stdSerializers.err(error);
  let message = error.message;
  let { cause } = error;
  for (let count = 0; count < causesMax && cause instanceof Error; count += 1) {
    if (!message.includes(cause.message)) message += `: ${cause.message}`;
    ({ cause } = cause);
  }
  entry.message = message;
  return entry;
}
