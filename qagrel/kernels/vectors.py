"""Vectors: `lanes` numbers held in registers, with `+` and `fma`; and access without checks.

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
    """The vector a * b + c, where `a` may be a number; in single precision rounded once.

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
    block = matrix[rows, column : column + LANES].T
    turned[to_row : to_row + LANES, to_column : to_column + LANES] = block


def apart(matrix, n):
    """A vector of `n` (a literal) zeros, of the matrix's type, with a register for each."""
    return np.zeros(n, matrix.dtype)


def load_rows(matrix, entries, e, end, column, like):
    """matrix[j, column] of the rows j that entries[e], entries[e + 1] ... name.

    The last before `end` is taken again and again; `like` is `apart`.
    """
    return np.array([matrix[j, column] for j in _indices_plainly(entries, e, end, like.size)])


def scatter(vector, matrix, row, entries, e, end):
    """matrix[row, j] = the vector's numbers, for the same indices j."""
    for j, number in zip(_indices_plainly(entries, e, end, vector.size), vector, strict=True):
        matrix[row, j] = number


def _indices_plainly(entries, e, end, n):
    return [entries[min(e + i, end - 1)]["index"] for i in range(n)]


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
    """Numba's type of a vector of `lanes` numbers: an array of registers of `width` each."""

    def __init__(self, dtype, lanes, width=LANES):
        self.dtype, self.lanes, self.width, self.n = dtype, lanes, width, lanes // width
        super().__init__(name=f"Vector({dtype}, {lanes}, {width})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        number = manager.lookup(vector.dtype).get_value_type()
        registers = ir.ArrayType(ir.VectorType(number, vector.width), vector.n)
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
    for _ in range(vector.n):
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
        for i in range(vector.n)
    ]
    return _pack(context, builder, vector, registers)


@intrinsic(prefer_literal=True)
def _zeros(typing, matrix, registers):
    vector = Vector(matrix.dtype, registers.literal_value * LANES)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(matrix, registers), generate


@intrinsic(prefer_literal=True)
def _apart(typing, matrix, n):
    vector = Vector(matrix.dtype, n.literal_value, width=1)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(matrix, n), generate


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
        name = f"llvm.fma.v{a.type.count}f32"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
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
    """Load a register of each row, transpose them by shuffles, and store them."""
    one, size = Vector(matrix.dtype, LANES), matrix.dtype.bitwidth // 8
    place = types.intp, types.intp

    def generate(context, builder, signature, arguments):
        source, row, column, out, to_row, to_column = arguments
        array = context.make_array(matrix)(context, builder, source)
        end = cgutils.unpack_tuple(builder, array.shape)[0]
        registers = []
        for given in _up_to(builder, row, end, LANES):
            at = source, given, column
            (register,) = _places(context, builder, (matrix, *place), at, one)
            registers.append(builder.load(register, align=size))
        for i, register in enumerate(_transpose(builder, registers)):
            at = out, builder.add(to_row, _int64(i)), to_column
            (to,) = _places(context, builder, (turned, *place), at, one)
            builder.store(register, to, align=size)
        return context.get_dummy_value()

    return types.void(matrix, *place, turned, *place), generate


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
def _load_rows(typing, matrix, entries, e, end, column, like):
    def generate(context, builder, signature, arguments):
        numbers, kind = [], context.get_value_type(like).element
        for row in _indices(context, builder, entries, arguments[1:4], like.n):
            place = _place(context, builder, matrix, (arguments[0], row, arguments[4]))
            place = builder.bitcast(place, kind.as_pointer())
            numbers.append(builder.load(place, align=like.dtype.bitwidth // 8))
        return _pack(context, builder, like, numbers)

    return like(matrix, entries, *[types.intp] * 3, like), generate


@intrinsic
def _scatter(typing, vector, matrix, row, entries, e, end):
    def generate(context, builder, signature, arguments):
        numbers, out, row, *listed = arguments
        for i, column in enumerate(_indices(context, builder, entries, listed, vector.n)):
            place = _place(context, builder, matrix, (out, row, column))
            number = builder.extract_value(numbers, i)
            place = builder.bitcast(place, number.type.as_pointer())
            builder.store(number, place, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(vector, matrix, types.intp, entries, types.intp, types.intp), generate


def _place(context, builder, matrix, arguments):
    """Pointer to matrix[row, column]."""
    buffer, row, column = arguments
    array = context.make_array(matrix)(context, builder, buffer)
    n_columns = cgutils.unpack_tuple(builder, array.shape)[1]
    return builder.gep(array.data, [builder.add(builder.mul(row, n_columns), column)])


def _up_to(builder, first, end, n):
    """`n` places from the first, with the last before `end` again and again."""
    last = builder.sub(end, _int64(1))
    for i in range(n):
        place = builder.add(first, _int64(i))
        yield builder.select(builder.icmp_signed("<", place, last), place, last)


def _indices(context, builder, entries, arguments, n):
    """The indices of `n` pairs from entries[e], with the last before `end` again and again."""
    buffer, e, end = arguments
    for place in _up_to(builder, e, end, n):
        index, _ = _members(context, builder, entries, (buffer, place))
        yield builder.zext(builder.load(index), ir.IntType(64))


def _int64(number):
    return ir.Constant(ir.IntType(64), number)


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
    undefined = ir.Constant(ir.VectorType(number.type, vector.width), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), vector.width), None)
    register = builder.shuffle_vector(first, first, lane_0)
    return _pack(context, builder, vector, [register] * vector.n)


_COMPILED = (
    *(_zeros, _apart, _lanes, _load, _store, _load_rows, _scatter, _fma, _where_positive),
    *(_turn, _view, _read, _write, _prefetch),
)
PLAIN = {each.__name__[1:]: globals()[each.__name__[1:]] for each in _COMPILED}
if not config.DISABLE_JIT:
    globals().update({each.__name__[1:]: each for each in _COMPILED})
