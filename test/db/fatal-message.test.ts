import { expect, test } from "bun:test";
import fc from "fast-check";
import { fatalMessageIn } from "../../src/db/fatal-message.ts";

/** A message as PostgreSQL sends it. */
function messageOf(type: "E" | "N" | "Z", body: string): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, "latin1");
  header.writeUInt32BE(4 + Buffer.byteLength(body), 1);
  return Buffer.concat([header, Buffer.from(body)]);
}

const fieldsOf = (severity: string, code: string, message: string): string =>
  `S${severity}\0V${severity}\0C${code}\0M${message}\0Fpostgres.c\0\0`;

test("a message that ends a session is found, with any text and after any other bytes", () => {
  const severities = fc.constantFrom("FATAL", "PANIC");
  fc.assert(
    fc.property(fc.uint8Array(), severities, fc.string({ unit: "grapheme" }), (before, severity, text) => {
      const message = text.replaceAll("\0", "");
      const last = messageOf("E", fieldsOf(severity, "57P01", message));
      expect(fatalMessageIn(Buffer.concat([before, last]))).toEqual({ code: "57P01", message });
    }),
  );
});

test("the warning of a crash is found, too; errors, notices, incomplete messages and other bytes are not", () => {
  expect(fatalMessageIn(messageOf("N", fieldsOf("WARNING", "57P02", "crash")))).toEqual({
    code: "57P02",
    message: "crash",
  });
  expect(fatalMessageIn(messageOf("N", fieldsOf("NOTICE", "42P07", "exists")))).toBeUndefined();
  const error = messageOf("E", fieldsOf("ERROR", "22012", "division by zero"));
  expect(fatalMessageIn(error)).toBeUndefined();
  expect(fatalMessageIn(Buffer.concat([error, messageOf("Z", "I")]))).toBeUndefined();
  expect(fatalMessageIn(messageOf("E", fieldsOf("FATAL", "57P01", "cut")).subarray(0, -3))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array(), (bytes) => fatalMessageIn(Buffer.from(bytes)) === undefined));
});
