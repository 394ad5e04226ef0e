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

/** The size of an operation. */
export interface OperationSize {
  /** Levels of nested fields. */
  readonly depth: number;
  readonly aliases: number;
  /** The estimated number of values in the answer: each field counts as one, and each object in a field as one more. A field
   *  of a list's elements counts once for each element. */
  readonly values: number;
  /** Fields for which the store is asked; each counts once, because a field of a list's elements is one question for all of them. */
  readonly questions: number;
}

/** An operation, with everything that its size depends on. */
export interface SizedOperation {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The coerced values. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Undefined while the fleet is not loaded. */
  readonly fleet: FleetIndex | undefined;
}

/** The assumed length of a list whose field has no `size`. */
const defaultSize = 8;
/** The assumed length of a list in introspection. */
const introspectionSize = 20;
/** The size of nothing. */
export const noSize: OperationSize = { depth: 0, aliases: 0, values: 0, questions: 0 };

/** Measures an operation before it is executed.
 *  @param sized from a valid document, so that its fragments form no cycle */
export function sizeOfOperation(sized: SizedOperation): OperationSize {
  const root = sized.schema.getRootType(sized.operation.operation);
  return root ? new SizeWalk(sized).selections(root, sized.operation.selectionSet) : noSize;
}

class SizeWalk {
  /** Each fragment is measured once; otherwise, fragments that each spread the next one twice would take exponential
   *  time. */
  private readonly fragmentSizes = new Map<string, OperationSize>();

  constructor(private readonly sized: SizedOperation) {}

  selections(parent: GraphQLCompositeType, { selections }: SelectionSetNode): OperationSize {
    return selections.reduce((sum, node) => {
      const size =
        node.kind === Kind.FIELD
          ? this.field(parent, node)
          : node.kind === Kind.FRAGMENT_SPREAD
            ? this.fragment(node.name.value)
            : this.selections(this.typeNamed(node.typeCondition?.name.value) ?? parent, node.selectionSet);
      const { depth, aliases, values, questions } = size;
      return {
        depth: Math.max(sum.depth, depth),
        aliases: sum.aliases + aliases,
        values: sum.values + values,
        questions: sum.questions + questions,
      };
    }, noSize);
  }

  private fragment(name: string): OperationSize {
    let size = this.fragmentSizes.get(name);
    if (size === undefined) {
      const fragment = this.sized.fragments.get(name);
      const type = this.typeNamed(fragment?.typeCondition.name.value);
      size = fragment === undefined || type === undefined ? noSize : this.selections(type, fragment.selectionSet);
      this.fragmentSizes.set(name, size);
    }
    return size;
  }

  private field(parent: GraphQLCompositeType, node: FieldNode): OperationSize {
    const aliases = node.alias === undefined ? 0 : 1;
    const definition = this.definitionOf(parent, node.name.value);
    const type = definition && getNamedType(definition.type);
    const questions = definition?.extensions["asksStore"] === true ? 1 : 0;
    if (definition === undefined || node.selectionSet === undefined || !isCompositeType(type)) {
      return { depth: 1, aliases, values: 1, questions };
    }
    const below = this.selections(type, node.selectionSet);
    const count = this.countOf(definition, node, type);
    return {
      depth: below.depth + 1,
      aliases: below.aliases + aliases,
      values: 1 + count * (1 + below.values),
      questions: below.questions + questions,
    };
  }

  private countOf(definition: GraphQLField<unknown, unknown>, node: FieldNode, type: GraphQLCompositeType): number {
    const size = definition.extensions["size"] as SizeOf | undefined;
    if (size === undefined) {
      if (!isListType(getNullableType(definition.type))) return 1;
      return type.name.startsWith("__") ? introspectionSize : defaultSize;
    }
    if (this.sized.fleet === undefined) return 1; // the size may depend on the fleet
    return size(getArgumentValues(definition, node, this.sized.variables), this.sized.fleet);
  }

  private definitionOf(parent: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
    return isObjectType(parent) ? parent.getFields()[name] : undefined;
  }

  private typeNamed(name: string | undefined): GraphQLCompositeType | undefined {
    const type = name === undefined ? undefined : this.sized.schema.getType(name);
    return isCompositeType(type) ? type : undefined;
  }
}
