import type { TObject, TSchema } from "@sinclair/typebox";
import {
  GraphQLBoolean,
  GraphQLFloat,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigMap,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLString,
} from "graphql";
import { nameOf } from "../../schemas/named-schema.ts";
import type { GraphqlContext } from "../operation-context.ts";
import type { EnumTypes } from "./enums.ts";
import { camelCase, pascalCase } from "./names.ts";
import { dateTime } from "./scalars.ts";

type Fields = GraphQLFieldConfigMap<unknown, GraphqlContext>;
type Field = GraphQLFieldConfig<unknown, GraphqlContext>;
type Source = Readonly<Record<string, unknown>>;

const intMax = 2 ** 31 - 1;

/** Makes object types from the API's TypeBox schemas: a field for each property, with the property's description. An
 *  optional property becomes a nullable field. GraphQL has no maps, so a map becomes a list of named entries. A whole number
 *  is an Int if the schema's maximum is at most 2^31 - 1, otherwise a Float. */
export class OutputTypes {
  private readonly typeByName = new Map<string, GraphQLObjectType>();

  constructor(
    private readonly enums: EnumTypes,
    /** Returns the fields that lead from the named type to other types. */
    private readonly relationsOf: (typeName: string) => Readonly<Fields>,
  ) {}

  /** The object type for a schema, made at the first call. */
  of(schema: TObject): GraphQLObjectType {
    return this.objectType(nameOf(schema), schema);
  }

  /** The type of a list of the schema's objects: `[Name!]!`. */
  listOf(schema: TObject): GraphQLOutputType {
    return new GraphQLNonNull(listTypeOf(this.of(schema)));
  }

  private objectType(name: string, schema: TObject): GraphQLObjectType {
    return this.getOrCreate(name, () => ({
      description: schema.description,
      fields: () => ({ ...this.fieldsOf(name, schema), ...this.relationsOf(name) }),
    }));
  }

  private getOrCreate(
    name: string,
    make: () => { readonly description: string | undefined; readonly fields: () => Fields },
  ): GraphQLObjectType {
    const existing = this.typeByName.get(name);
    if (existing !== undefined) return existing;
    const type = new GraphQLObjectType<unknown, GraphqlContext>({ name, ...make() });
    this.typeByName.set(name, type);
    return type;
  }

  private fieldsOf(typeName: string, schema: TObject): Fields {
    const required = new Set(schema.required);
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]): [string, Field] => {
        const { type, read } = this.typeOf(`${typeName}${pascalCase(name)}`, property);
        return [
          camelCase(name),
          {
            description: property.description,
            type: required.has(name) ? new GraphQLNonNull(type) : type,
            resolve: (source) => read((source as Source)[name]),
          },
        ];
      }),
    );
  }

  /** @returns the type, and a function that turns a property's value into a value of the type */
  private typeOf(name: string, schema: TSchema): { type: GraphQLOutputType; read: (value: unknown) => unknown } {
    if (Array.isArray(schema["anyOf"]))
      return asItIs(this.enums.of(literalsOf(name, schema), name, schema.description));
    switch (schema["type"]) {
      case "string":
        return asItIs(schema["format"] === "date-time" ? dateTime : GraphQLString);
      case "boolean":
        return asItIs(GraphQLBoolean);
      case "integer":
      case "number":
        return asItIs(isInt(schema) ? GraphQLInt : GraphQLFloat);
      case "array":
        return asItIs(listTypeOf(this.typeOf(name, schema["items"] as TSchema).type));
      case "object":
        return schema["patternProperties"] === undefined
          ? asItIs(this.objectType(name, schema as TObject))
          : { type: listTypeOf(this.entryType(name, schema)), read: toEntries };
      default:
        throw new Error(`the schema of ${name} has no GraphQL type: ${JSON.stringify(schema)}`);
    }
  }

  private entryType(name: string, map: TSchema): GraphQLObjectType {
    const [value] = Object.values(map["patternProperties"] as Record<string, TSchema>);
    if (value === undefined) throw new Error(`${name} is a map whose values have no schema`);
    const nameField: Field = {
      type: new GraphQLNonNull(GraphQLString),
      resolve: (source) => (source as Entry)[0],
    };
    if (value["type"] === "object") {
      const fields = () => withSource(this.fieldsOf(name, value as TObject), (source) => (source as Entry)[1]);
      return this.getOrCreate(name, () => ({
        description: map.description,
        fields: () => ({ name: nameField, ...fields() }),
      }));
    }
    const { type } = this.typeOf(name, value);
    const entryName = value["type"] === "string" ? "NamedText" : "NamedNumber";
    const resolve = (source: unknown): unknown => (source as Entry)[1];
    const fields = (): Fields => ({ name: nameField, value: { type: new GraphQLNonNull(type), resolve } });
    return this.getOrCreate(entryName, () => ({ description: "An entry of a map", fields }));
  }
}

type Entry = readonly [name: string, value: unknown];

function asItIs(type: GraphQLOutputType) {
  return { type, read: (value: unknown): unknown => value };
}

function toEntries(value: unknown): unknown {
  return value === undefined ? undefined : Object.entries(value as Source);
}

function listTypeOf(type: GraphQLOutputType): GraphQLOutputType {
  return new GraphQLList(new GraphQLNonNull(type));
}

function isInt(schema: TSchema): boolean {
  return schema["multipleOf"] === 1 && Number(schema["maximum"] ?? Infinity) <= intMax;
}

function literalsOf(name: string, schema: TSchema): string[] {
  const values = (schema["anyOf"] as TSchema[]).map((member) => member["const"] as unknown);
  if (values.every((value) => typeof value === "string")) return values;
  throw new Error(`${name} is a union with a member that is not a text`);
}

/** Copies fields. The copies resolve from the object that `find` returns for the source. */
function withSource(fields: Fields, find: (source: unknown) => unknown): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { resolve, ...field }]) => [
      name,
      { ...field, resolve: (source, ...rest) => resolve?.(find(source), ...rest) },
    ]),
  );
}
