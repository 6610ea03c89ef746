"""Vectors: `lanes` numbers held in registers, with + and a fused `fma`; and access without checks.

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


def fma(a, b, c):
    """a * b + c of numbers `a` or a vector, and vectors; in single precision rounded once.

    In double precision the product is rounded too: plain Python before 3.13 has no fused
    operation.  The single product is exact in double precision; the sum is rounded there to odd,
    so that rounding it again gives what one rounding would (Boldo and Melquiond, 2008).
    """
    if c.dtype != np.float32:
        return a * b + c
    with np.errstate(over="ignore", invalid="ignore"):
        product, c = np.multiply(a, b, dtype=np.float64), c.astype(np.float64)
        total = product + c
        part = total - product
        error = (product - (total - part)) + (c - part)
        inexact = np.isfinite(total) & (error != 0) & (total.view(np.int64) % 2 == 0)
        odd = np.nextafter(total, np.copysign(np.inf, error))
        return np.where(inexact, odd, total).astype(np.float32)


def where_positive(gate, vector):
    """The numbers of `vector` where those of `gate` are above zero, else zeros."""
    return np.where(gate > 0, vector, vector.dtype.type(0))


def turn(matrix, row, column, turned, to_row, to_column):
    """Transpose the `LANES` x `LANES` block at matrix[row, column] into turned[to_row, to_column].

    Rows below the last are the last again.
    """
    rows = np.minimum(np.arange(row, row + LANES), matrix.shape[0] - 1)
    _put_turned(matrix[rows, column : column + LANES], turned, to_row, to_column)


def turn_listed(matrix, entries, e, end, column, turned, to_row):
    """`turn` for the rows that entries[e], entries[e + 1] ... name; the last of `end` again."""
    rows = [entries[min(e + i, end - 1)]["index"] for i in range(LANES)]
    _put_turned(matrix[rows, column : column + LANES], turned, to_row, 0)


def _put_turned(block, turned, row, column):
    turned[row : row + LANES, column : column + LANES] = block.T


def scatter(vector, matrix, row, entries, e, end):
    """matrix[row, j] = the numbers of a register, for the indices j of entries[e : end] as above."""
    for i in range(LANES):
        matrix[row, entries[min(e + i, end - 1)]["index"]] = vector[min(i, end - 1 - e)]


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


@intrinsic
def _lanes(typing, vector):
    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), vector.lanes)

    return types.intp(vector), generate


@intrinsic
def _fma(typing, a, b, c):
    if not (isinstance(c, Vector) and b == c and a in (c, c.dtype)):
        return None

    def generate(context, builder, signature, arguments):
        factor, *others = arguments
        if a == c.dtype:
            factor = _splat(context, builder, c, factor)
        fuse = _fused(builder) if c.dtype == types.float32 else _strict(builder)
        return _each(context, builder, c, fuse, (factor, *others))

    return c(a, b, c), generate


def _fused(builder):
    """One rounding for product and sum, asked for explicitly: the same bits on every processor."""

    def fuse(a, b, c):
        kind = ir.FunctionType(a.type, [a.type] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        return builder.call(function, (a, b, c))

    return fuse


def _strict(builder):
    return lambda a, b, c: builder.fadd(builder.fmul(a, b), c)


@intrinsic
def _where_positive(typing, gate, vector):
    def generate(context, builder, signature, arguments):
        def choose(gate, values):
            nothing = ir.Constant(values.type, None)
            return builder.select(builder.fcmp_ordered(">", gate, nothing), values, nothing)

        return _each(context, builder, vector, choose, arguments)

    return vector(gate, vector), generate


@intrinsic
def _turn(typing, matrix, row, column, turned, to_row, to_column):
    def generate(context, builder, signature, arguments):
        source, row, column, *to = arguments
        array = context.make_array(matrix)(context, builder, source)
        end = cgutils.unpack_tuple(builder, array.shape)[0]
        rows = _up_to(builder, row, end)
        _turn_rows(context, builder, (matrix, turned), source, rows, column, to)
        return context.get_dummy_value()

    places = types.intp, types.intp
    return types.void(matrix, *places, turned, *places), generate


@intrinsic
def _turn_listed(typing, matrix, entries, e, end, column, turned, to_row):
    def generate(context, builder, signature, arguments):
        source, listed, e, end, column, *to = arguments
        rows = _indices(context, builder, entries, (listed, e, end))
        to.append(ir.Constant(ir.IntType(64), 0))
        _turn_rows(context, builder, (matrix, turned), source, rows, column, to)
        return context.get_dummy_value()

    given = types.intp, types.intp, types.intp
    return types.void(matrix, entries, *given, turned, types.intp), generate


def _turn_rows(context, builder, matrices, source, rows, column, to):
    """Load a register of each row, transpose them by shuffles, and store them."""
    matrix, turned = matrices
    one, size = Vector(matrix.dtype, LANES), matrix.dtype.bitwidth // 8
    given = matrix, types.intp, types.intp
    registers = []
    for row in rows:
        (place,) = _places(context, builder, given, (source, row, column), one)
        registers.append(builder.load(place, align=size))
    out, to_row, to_column = to
    for i, register in enumerate(_transpose(builder, registers)):
        row = builder.add(to_row, ir.Constant(ir.IntType(64), i))
        (place,) = _places(context, builder, (turned, *given[1:]), (out, row, to_column), one)
        builder.store(register, place, align=size)


def _transpose(builder, registers):
    """Exchange rows and columns of a square of registers, half by half."""
    registers = list(registers)
    half = LANES // 2
    while half:
        low = [lane if not lane & half else lane + LANES - half for lane in range(LANES)]
        high = [lane + half if not lane & half else lane + LANES for lane in range(LANES)]
        for i in range(LANES):
            if not i & half:
                a, b = registers[i], registers[i + half]
                for place, lanes in ((i, low), (i + half, high)):
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
                    registers[place] = builder.shuffle_vector(a, b, mask)
        half //= 2
    return registers


@intrinsic
def _scatter(typing, vector, matrix, row, entries, e, end):
    def generate(context, builder, signature, arguments):
        packed, out, row, listed, e, end = arguments
        array = context.make_array(matrix)(context, builder, out)
        n_columns = cgutils.unpack_tuple(builder, array.shape)[1]
        first = builder.mul(row, n_columns)
        register = builder.extract_value(packed, 0)
        places = _up_to(builder, ir.Constant(ir.IntType(64), 0), builder.sub(end, e))
        columns = _indices(context, builder, entries, (listed, e, end))
        for place, column in zip(places, columns, strict=True):
            number = builder.extract_element(register, place)
            builder.store(number, builder.gep(array.data, [builder.add(first, column)]))
        return context.get_dummy_value()

    given = types.intp, types.intp
    return types.void(vector, matrix, types.intp, entries, *given), generate


def _up_to(builder, first, end):
    """`LANES` places from the first, with the last before `end` again and again."""
    last = builder.sub(end, ir.Constant(ir.IntType(64), 1))
    for i in range(LANES):
        place = builder.add(first, ir.Constant(ir.IntType(64), i))
        yield builder.select(builder.icmp_signed("<", place, last), place, last)


def _indices(context, builder, entries, arguments):
    """The indices of `LANES` pairs from entries[e], with the last before `end` again."""
    buffer, e, end = arguments
    for place in _up_to(builder, e, end):
        index, _ = _members(context, builder, entries, (buffer, place))
        yield builder.zext(builder.load(index), ir.IntType(64))


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


def _splat(context, builder, vector, number):
    """A vector that is the number in every lane."""
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    register = builder.shuffle_vector(first, first, lane_0)
    return _pack(context, builder, vector, [register] * (vector.lanes // LANES))


PLAIN = {
    f.__name__: f
    for f in (
        *(zeros, lanes, load, store, fma, where_positive),
        *(turn, turn_listed, scatter, view, read, write, prefetch),
    )
}
if not config.DISABLE_JIT:
    zeros, lanes, load, store, fma, where_positive = (
        *(_zeros, _lanes, _load, _store, _fma, _where_positive),
    )
    turn, turn_listed, scatter = _turn, _turn_listed, _scatter
    view, read, write, prefetch = _view, _read, _write, _prefetch
