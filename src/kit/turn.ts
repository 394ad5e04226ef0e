/** Lets the rest of the process do what waits, such as answering other requests. Long work without any other `await` calls it now and then. */
export function turnOfOthers(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
