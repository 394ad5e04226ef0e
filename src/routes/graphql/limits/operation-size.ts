import {
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  isCompositeType,
  isListType,
  getNullableType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  isObjectType,
} from "graphql";
import type { SizeOf } from "../../graphql-kit/field.ts";
import type { FleetIndex } from "../../fleet/fleet-index.ts";

/** How large an operation is. */
export interface OperationSize {
  /** Fields inside fields. */
  readonly depth: number;
  readonly aliases: number;
  /** Values that the answer may have: each field times the elements of the lists around it. */
  readonly values: number;
}

/** What measuring needs to know. */
export interface Measured {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Undefined while the fleet is not known. */
  readonly fleet: FleetIndex | undefined;
}

/** Elements of lists that say nothing of their size: maps of records, and introspection. */
const sizeDefault = 8;
const introspectionSize = 20;
const nothing: OperationSize = { depth: 0, aliases: 0, values: 0 };

/** Measures an operation before it is executed.
 *  @param measured of a document that is valid: its fragments form no circle */
export function sizeOfOperation(measured: Measured): OperationSize {
  const root = measured.schema.getRootType(measured.operation.operation);
  return root ? new SizeWalk(measured).selections(root, measured.operation.selectionSet) : nothing;
}

class SizeWalk {
  /** Each fragment is measured once: a chain of them that each spread the next twice would take for ever. */
  private readonly fragmentSizes = new Map<string, OperationSize>();

  constructor(private readonly measured: Measured) {}

  selections(parent: GraphQLCompositeType, { selections }: SelectionSetNode): OperationSize {
    return selections.reduce((sum, node) => {
      const size =
        node.kind === Kind.FIELD
          ? this.field(parent, node)
          : node.kind === Kind.FRAGMENT_SPREAD
            ? this.fragment(node.name.value)
            : this.selections(this.typeNamed(node.typeCondition?.name.value) ?? parent, node.selectionSet);
      const { depth, aliases, values } = size;
      return {
        depth: Math.max(sum.depth, depth),
        aliases: sum.aliases + aliases,
        values: sum.values + values,
      };
    }, nothing);
  }

  private fragment(name: string): OperationSize {
    let size = this.fragmentSizes.get(name);
    if (size === undefined) {
      const fragment = this.measured.fragments.get(name);
      const type = this.typeNamed(fragment?.typeCondition.name.value);
      size = fragment === undefined || type === undefined ? nothing : this.selections(type, fragment.selectionSet);
      this.fragmentSizes.set(name, size);
    }
    return size;
  }

  private field(parent: GraphQLCompositeType, node: FieldNode): OperationSize {
    const aliases = node.alias === undefined ? 0 : 1;
    const definition = this.definitionOf(parent, node.name.value);
    const type = definition && getNamedType(definition.type);
    if (definition === undefined || node.selectionSet === undefined || !isCompositeType(type)) {
      return { depth: 1, aliases, values: 1 };
    }
    const below = this.selections(type, node.selectionSet);
    const count = this.countOf(definition, node, type);
    return { depth: below.depth + 1, aliases: below.aliases + aliases, values: 1 + count * (1 + below.values) };
  }

  private countOf(definition: GraphQLField<unknown, unknown>, node: FieldNode, type: GraphQLCompositeType): number {
    const size = definition.extensions["size"] as SizeOf | undefined;
    if (size === undefined) {
      if (!isListType(getNullableType(definition.type))) return 1;
      return type.name.startsWith("__") ? introspectionSize : sizeDefault;
    }
    if (this.measured.fleet === undefined) return 1; // there is nothing to list
    return size(getArgumentValues(definition, node, this.measured.variables), this.measured.fleet);
  }

  private definitionOf(parent: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
    return isObjectType(parent) ? parent.getFields()[name] : undefined;
  }

  private typeNamed(name: string | undefined): GraphQLCompositeType | undefined {
    const type = name === undefined ? undefined : this.measured.schema.getType(name);
    return isCompositeType(type) ? type : undefined;
  }
}
