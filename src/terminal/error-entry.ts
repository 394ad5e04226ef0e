import pino from "pino";
import { TelemetryError } from "../domain/errors.ts";
import { DeadlineExceeded } from "../kit/within.ts";

/** How many causes of an error are followed. */
const causesMax = 10;
/** A message that has so much of another one has all of it that matters: drivers leave out what libraries say twice. */
const beginningLength = 40;

/** An error as an entry of the log has it, with the messages of its causes. A message often ends with that of its cause, which is then not
 *  repeated. Only an error that is not expected has the stack. Anything else that was thrown stays as it is. */
export function errorEntry(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const entry = pino.stdSerializers.err(error);
  let message = error.message;
  for (const cause of causesOf(error)) {
    if (!message.includes(cause.message.slice(0, beginningLength))) message += `: ${cause.message}`;
  }
  entry.message = message;
  if (isExpected(error)) {
    const { stack: _, ...expected } = entry;
    return expected;
  }
  return entry;
}

/** Errors of the platform, of which those of the outside world are expected: a time that is up, a signal that aborts. */
const expectedNames: ReadonlySet<string> = new Set(["TimeoutError", "AbortError"]);

/** True for an error of the outside world, which its message explains: a command that fails, a file that is missing, a server that is
 *  away. An error is not expected if a mistake of the program caused it, whatever error wraps the mistake. */
export function isExpected(error: unknown): error is Error {
  if (!(error instanceof Error) || [error, ...causesOf(error)].some(isMistake)) return false;
  return error instanceof TelemetryError || error instanceof DeadlineExceeded || isOfSystem(error);
}

/** The errors that led to an error, the nearest first. */
function causesOf(error: Error): Error[] {
  const causes: Error[] = [];
  for (let { cause } = error; causes.length < causesMax && cause instanceof Error; { cause } = cause)
    causes.push(cause);
  return causes;
}

/** Errors of `fetch` are TypeErrors, too, with the system's code. */
function isMistake(error: Error): boolean {
  if (isOfSystem(error)) return false;
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

/** True for errors such as ENOENT and ECONNREFUSED. */
function isOfSystem(error: Error): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return (typeof code === "string" && typeof errno === "number") || expectedNames.has(error.name);
}
