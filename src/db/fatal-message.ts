/** The message with which a server ended a connection. */
export interface FatalMessage {
  readonly code: string;
  readonly message: string;
}

const headerBytes = 5;
const [errorResponse, noticeResponse] = [0x45, 0x4e];
/** The code of the warning with which the server reports a crash. */
const crashCode = "57P02";

/** Finds the reason why PostgreSQL ended a connection, in the last message received: a FATAL or PANIC error, or the warning
 *  about a crash. postgres.js does not report such a message: it waits for the message that follows every other error.
 *  @returns undefined if the last message is of another kind
 *  @param received the last bytes received
 *  Source: https://www.postgresql.org/docs/17/protocol-message-formats.html (ErrorResponse) */
export function fatalMessageIn(received: Buffer): FatalMessage | undefined {
  for (let start = received.length - headerBytes - 1; start >= 0; start -= 1) {
    const type = received[start];
    if (type !== errorResponse && type !== noticeResponse) continue;
    // the length includes its own bytes, but not the type
    if (start + 1 + received.readUInt32BE(start + 1) !== received.length) continue;
    const fields = fieldsOf(received.toString("utf8", start + headerBytes));
    const [code, message] = ["C", "M"].map((field) => fields.get(field));
    // poolers send only the severity that a server would translate
    const severity = fields.get("V") ?? fields.get("S");
    if (code === undefined || message === undefined) continue;
    return severity === "FATAL" || severity === "PANIC" || code === crashCode ? { code, message } : undefined;
  }
  return undefined;
}

/** Each field is a letter and a text, followed by a NUL. */
function fieldsOf(text: string): Map<string, string> {
  return new Map(text.split("\0").map((field) => [field.slice(0, 1), field.slice(1)]));
}
