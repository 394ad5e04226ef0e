/** Why a server ended a connection. */
export interface FatalMessage {
  readonly code: string;
  readonly message: string;
}

const headerBytes = 5;
const [errorResponse, noticeResponse] = [0x45, 0x4e];
/** Of a crash the server tells by a warning. */
const crashCode = "57P02";

/** Looks for the error with which PostgreSQL takes its leave: FATAL or PANIC, the last message before the connection's
 *  end. postgres.js waits for the message that follows any other error, and so never tells.
 *  @param received the end of what was received
 *  Source: https://www.postgresql.org/docs/17/protocol-message-formats.html (ErrorResponse) */
export function fatalMessageIn(received: Buffer): FatalMessage | undefined {
  for (let start = received.length - headerBytes - 1; start >= 0; start -= 1) {
    const type = received[start];
    if (type !== errorResponse && type !== noticeResponse) continue;
    // the length counts itself, and not the type
    if (start + 1 + received.readUInt32BE(start + 1) !== received.length) continue;
    const fields = fieldsOf(received.toString("utf8", start + headerBytes));
    const [severity, code, message] = ["V", "C", "M"].map((field) => fields.get(field));
    if (code === undefined || message === undefined) continue;
    return severity === "FATAL" || severity === "PANIC" || code === crashCode ? { code, message } : undefined;
  }
  return undefined;
}

/** Each a letter and a text, ended by a NUL. */
function fieldsOf(text: string): Map<string, string> {
  return new Map(text.split("\0").map((field) => [field.slice(0, 1), field.slice(1)]));
}
