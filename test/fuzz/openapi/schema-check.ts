import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import type { Schema, ServedDocument } from "./served-document.ts";

/** Checks values against the document's schemas. */
export interface SchemaCheck {
  /** @returns the error in the value; undefined for a valid value */
  errorOf(schema: Schema, value: unknown): string | undefined;
}

/** Creates a check from a document. It checks formats, and refuses fields that a schema neither names nor allows. */
export function schemaCheckOf({ schemas }: ServedDocument): SchemaCheck {
  const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false });
  // OpenAPI's own keywords do not restrict a value
  ajv.addVocabulary(["example", "components"]);
  (addFormats as unknown as { default: (to: Ajv) => void }).default(ajv);
  const components = {
    schemas: Object.fromEntries(Object.entries(schemas).map(([name, each]) => [name, closed(each)])),
  };
  const compiled = new Map<Schema, ValidateFunction>();
  const validatorOf = (schema: Schema): ValidateFunction => {
    const cached = compiled.get(schema);
    if (cached !== undefined) return cached;
    const validator = ajv.compile({ ...(closed(schema) as Schema), components });
    compiled.set(schema, validator);
    return validator;
  };
  return {
    errorOf: (schema, value) => {
      const validate = validatorOf(schema);
      return validate(value) ? undefined : ajv.errorsText(validate.errors, { dataVar: "body" });
    },
  };
}

/** Adds `additionalProperties: false` to each object schema that names its properties, unless the schema sets it itself. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inside = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === "example" || key === "enum" ? value : closed(value)]),
  );
  const isObject = typeof inside["properties"] === "object" && inside["type"] === "object";
  return isObject ? { additionalProperties: false, ...inside } : inside;
}
