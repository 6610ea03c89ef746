"""Vectors: `lanes` numbers held in registers, with strict + and *; and access without checks.

In plain Python (JIT off) a vector is a NumPy array, and the functions below are their own
reference; compiled, each becomes one LLVM instruction on a vector type.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.arrayobj import populate_array

from qagrel.kernels.layout import LANES


def zeros(matrix, registers):
    """A vector of zeros, `registers` (a literal) times `LANES` long, of the matrix's type."""
    return np.zeros(registers * LANES, matrix.dtype)


def load(matrix, row, column, like):
    """matrix[row, column : column + lanes] as a vector; the matrix is C-contiguous."""
    return matrix[row, column : column + like.size].copy()


def store(matrix, row, column, vector):
    """matrix[row, column : column + lanes] = vector."""
    matrix[row, column : column + vector.size] = vector


def lanes(vector):
    """How many numbers a vector holds."""
    return vector.size


def repeat(vector, registers):
    """The vector, of one register, `registers` (a literal) times."""
    return np.tile(vector, registers)


def load_rows(matrix, entries, e, end, column, like):
    """A register of each row that entries[e], entries[e + 1] ... name; the last of `end` again."""
    rows = [entries[min(e + i, end - 1)]["index"] for i in range(like.size // LANES)]
    return matrix[rows, column : column + LANES].reshape(-1)


def store_sums(matrix, row, entries, e, end, vector):
    """matrix[row, j] = sum of a register's lanes, added in halves, for the entries' indices j."""
    lanes = vector.reshape(-1, LANES)
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    for i in range(len(lanes)):
        matrix[row, entries[min(e + i, end - 1)]["index"]] = lanes[i, 0]


def read(entries, e):
    """The pair entries[e] of `Lists`: index and value."""
    return entries[e]["index"], entries[e]["value"]


def write(entries, e, index, value):
    """entries[e] = (index, value)."""
    entries[e]["index"] = index
    entries[e]["value"] = value


def prefetch(array, i):
    """Bring array[i] nearer to the processor; changes nothing."""


def view(flat, start, rows, columns):
    """The matrix (rows, columns) that begins at `start` of the flat buffer."""
    return flat[start : start + rows * columns].reshape(rows, columns)


class Vector(types.Type):
    """Numba's type of a vector of `lanes` numbers: an array of registers of `LANES` each."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        number = manager.lookup(vector.dtype).get_value_type()
        registers = ir.ArrayType(ir.VectorType(number, LANES), vector.lanes // LANES)
        super().__init__(manager, vector, registers)


def _places(context, builder, given, arguments, vector):
    """Pointers to the registers' worths of numbers that begin at matrix[row, column]."""
    matrix = context.make_array(given[0])(context, builder, arguments[0])
    row, column = (
        context.cast(builder, argument, given, types.intp)
        for argument, given in zip(arguments[1:3], given[1:3], strict=True)
    )
    n_columns = cgutils.unpack_tuple(builder, matrix.shape)[1]
    place = builder.gep(matrix.data, [builder.add(builder.mul(row, n_columns), column)])
    register = context.get_value_type(vector).element.as_pointer()
    step = ir.Constant(ir.IntType(64), LANES)
    for _ in range(vector.lanes // LANES):
        yield builder.bitcast(place, register)
        place = builder.gep(place, [step])


def _pack(context, builder, vector, registers):
    """A vector from its registers."""
    packed = ir.Constant(context.get_value_type(vector), ir.Undefined)
    for i, register in enumerate(registers):
        packed = builder.insert_value(packed, register, i)
    return packed


def _each(context, builder, vector, operation, operands):
    """Apply an operation register by register."""
    registers = [
        operation(*(builder.extract_value(operand, i) for operand in operands))
        for i in range(vector.lanes // LANES)
    ]
    return _pack(context, builder, vector, registers)


@intrinsic(prefer_literal=True)
def _zeros(typing, matrix, registers):
    vector = Vector(matrix.dtype, registers.literal_value * LANES)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(matrix, registers), generate


@intrinsic
def _view(typing, flat, start, rows, columns):
    matrix_type = types.Array(flat.dtype, 2, "C")

    def generate(context, builder, signature, arguments):
        buffer = context.make_array(flat)(context, builder, arguments[0])
        begin, *shape = (
            context.cast(builder, argument, given, types.intp)
            for argument, given in zip(arguments[1:], signature.args[1:], strict=True)
        )
        size = context.get_constant(types.intp, flat.dtype.bitwidth // 8)
        matrix = context.make_array(matrix_type)(context, builder)
        populate_array(
            matrix,
            data=builder.gep(buffer.data, [begin]),
            shape=shape,
            strides=[builder.mul(shape[1], size), size],
            itemsize=size,
            meminfo=None,  # borrowed: the flat buffer outlives its views
        )
        return matrix._getvalue()

    return matrix_type(flat, start, rows, columns), generate


@intrinsic
def _load(typing, matrix, row, column, like):
    def generate(context, builder, signature, arguments):
        places = _places(context, builder, signature.args, arguments, like)
        loaded = [builder.load(place, align=like.dtype.bitwidth // 8) for place in places]
        return _pack(context, builder, like, loaded)

    return like(matrix, row, column, like), generate


@intrinsic
def _store(typing, matrix, row, column, vector):
    def generate(context, builder, signature, arguments):
        for i, place in enumerate(_places(context, builder, signature.args, arguments, vector)):
            register = builder.extract_value(arguments[3], i)
            builder.store(register, place, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(matrix, row, column, vector), generate


def _indices(context, builder, entries, arguments, n):
    """The indices of the `n` pairs from entries[e], with the last before `end` again and again."""
    buffer, e, end = arguments
    last = builder.sub(end, ir.Constant(ir.IntType(64), 1))
    for i in range(n):
        place = builder.add(e, ir.Constant(ir.IntType(64), i))
        place = builder.select(builder.icmp_signed("<", place, last), place, last)
        index, _ = _members(context, builder, entries, (buffer, place))
        yield builder.zext(builder.load(index), ir.IntType(64))


@intrinsic
def _lanes(typing, vector):
    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), vector.lanes)

    return types.intp(vector), generate


@intrinsic(prefer_literal=True)
def _repeat(typing, vector, registers):
    repeated = Vector(vector.dtype, registers.literal_value * LANES)

    def generate(context, builder, signature, arguments):
        register = builder.extract_value(arguments[0], 0)
        return _pack(context, builder, repeated, [register] * registers.literal_value)

    return repeated(vector, registers), generate


@intrinsic
def _load_rows(typing, matrix, entries, e, end, column, like):
    def generate(context, builder, signature, arguments):
        one = Vector(like.dtype, LANES)
        given = matrix, types.intp, types.intp
        registers = []
        for row in _indices(context, builder, entries, arguments[1:4], like.lanes // LANES):
            (place,) = _places(context, builder, given, (arguments[0], row, arguments[4]), one)
            registers.append(builder.load(place, align=like.dtype.bitwidth // 8))
        return _pack(context, builder, like, registers)

    return like(matrix, entries, types.intp, types.intp, types.intp, like), generate


@intrinsic
def _store_sums(typing, matrix, row, entries, e, end, vector):
    n = vector.lanes // LANES

    def generate(context, builder, signature, arguments):
        registers = [builder.extract_value(arguments[5], i) for i in range(n)]
        sums = _fold(builder, registers)
        array = context.make_array(matrix)(context, builder, arguments[0])
        n_columns = cgutils.unpack_tuple(builder, array.shape)[1]
        first = builder.mul(arguments[1], n_columns)
        for i, column in enumerate(_indices(context, builder, entries, arguments[2:5], n)):
            lane = builder.extract_element(sums, ir.Constant(ir.IntType(32), i))
            builder.store(lane, builder.gep(array.data, [builder.add(first, column)]))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, entries, types.intp, types.intp, vector), generate


def _fold(builder, registers):
    """The sum of each register's lanes, added in halves, side by side in one register."""
    width = LANES
    while width > 1:
        if len(registers) > 1:
            pairs = zip(registers[::2], registers[1::2], strict=True)
        else:
            pairs = [(registers[0], None)]
        registers = [_halve(builder, a, b, width) for a, b in pairs]
        width //= 2
    return registers[0]


def _halve(builder, a, b, width):
    """Add the halves of every `width` lanes of a and, where there is one, of b."""
    n = a.type.count if b is None else 2 * a.type.count
    halves = []
    for upper in (False, True):
        lanes = [lane for lane in range(n) if (lane % width >= width // 2) == upper]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        halves.append(builder.shuffle_vector(a, a if b is None else b, mask))
    return builder.fadd(*halves)


def _members(context, builder, entries, arguments):
    """Pointers to the index and the value of entries[e], for e >= 0."""
    buffer = context.make_array(entries)(context, builder, arguments[0])
    pair = builder.gep(buffer.data, [arguments[1]])
    bytes_of_pair = builder.bitcast(pair, ir.IntType(8).as_pointer())
    for member in ("index", "value"):
        offset = ir.Constant(ir.IntType(64), entries.dtype.offset(member))
        place = builder.gep(bytes_of_pair, [offset])
        member_type = context.get_value_type(entries.dtype.typeof(member))
        yield builder.bitcast(place, member_type.as_pointer())


@intrinsic
def _read(typing, entries, e):
    pair = types.Tuple((types.intp, entries.dtype.typeof("value")))

    def generate(context, builder, signature, arguments):
        index, value = _members(context, builder, entries, arguments)
        unit = builder.zext(builder.load(index), ir.IntType(64))
        return context.make_tuple(builder, pair, [unit, builder.load(value)])

    return pair(entries, types.intp), generate


@intrinsic
def _write(typing, entries, e, index, value):
    def generate(context, builder, signature, arguments):
        for place, member in zip(
            _members(context, builder, entries, arguments), arguments[2:], strict=True
        ):
            builder.store(member, place)
        return context.get_dummy_value()

    members = (entries.dtype.typeof(member) for member in ("index", "value"))
    return types.void(entries, types.intp, *members), generate


@intrinsic
def _prefetch(typing, array, i):
    def generate(context, builder, signature, arguments):
        buffer = context.make_array(array)(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        place = builder.bitcast(builder.gep(buffer.data, [arguments[1]]), byte)
        builder.call(function, [place, flag(0), flag(3), flag(1)])  # to read, keep, data
        return context.get_dummy_value()

    return types.void(array, i), generate


@infer_global(operator.add)
class _VectorPlusVector(AbstractTemplate):
    def generic(self, arguments, keywords):
        a, b = arguments
        return signature(a, a, b) if isinstance(a, Vector) and a == b else None


@lower_builtin(operator.add, Vector, Vector)
def _add(context, builder, signature, arguments):
    return _each(context, builder, signature.return_type, builder.fadd, arguments)


@infer_global(operator.mul)
class _NumberTimesVector(AbstractTemplate):
    def generic(self, arguments, keywords):
        a, b = arguments
        return signature(b, a, b) if isinstance(b, Vector) and a in (b, b.dtype) else None


@lower_builtin(operator.mul, Vector, Vector)
def _multiply(context, builder, signature, arguments):
    return _each(context, builder, signature.return_type, builder.fmul, arguments)


@lower_builtin(operator.mul, types.Float, Vector)
def _scale(context, builder, signature, arguments):
    vector, (number, values) = signature.return_type, arguments
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    register = builder.shuffle_vector(first, first, lane_0)
    copies = _pack(context, builder, vector, [register] * (vector.lanes // LANES))
    return _each(context, builder, vector, builder.fmul, (copies, values))


PLAIN = {
    f.__name__: f
    for f in (zeros, lanes, repeat, load, store, load_rows, store_sums, view, read, write, prefetch)
}
if not config.DISABLE_JIT:
    zeros, lanes, repeat, load, store = _zeros, _lanes, _repeat, _load, _store
    load_rows, store_sums = _load_rows, _store_sums
    view, read, write, prefetch = _view, _read, _write, _prefetch
