import { expect, test } from "bun:test";
import { escaped } from "../../src/domain/visible-text.ts";
import { identityError } from "../../src/pipeline/source/labels/identity-error.ts";

const errorOf = (uuid: string, hostname = "gpu-01") =>
  identityError({ uuid: { field: "UUID", text: uuid }, hostname: { field: "Hostname", text: hostname } }, []);

test("a uuid or host name with a character that is not seen is refused like one with a control character, and shown", () => {
  expect(errorOf("GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")).toBeUndefined();
  expect(errorOf("GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4", "größe-日本")).toBeUndefined();
  expect(errorOf("GPU-\u001b[31m")).toMatchObject({ reason: "invalid_field", field: "UUID" });
  for (const code of [0xad, 0x200b, 0x200d, 0x200f, 0x2028, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfe0f, 0xe0041]) {
    const character = String.fromCodePoint(code);
    const error = errorOf(`GPU-1${character}2`);
    expect(error).toMatchObject({ reason: "invalid_field", field: "UUID" });
    expect(error?.message).toContain(`"GPU-1${escaped(character)}2"`);
    expect(error?.message).not.toContain(character);
    expect(errorOf("GPU-1", `gpu${character}01`)).toMatchObject({ reason: "invalid_field", field: "Hostname" });
  }
});
