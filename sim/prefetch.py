"""Tell the processor which entry of an array a kernel will read soon.

For loops whose next addresses are known while the present ones are still being worked on, and whose arrays are
larger than the caches.  A hint: it changes no number, and wrong or late ones only cost an instruction.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types
from numba.extending import intrinsic

ir = cgutils.ir  # the builder of numba's own code generator


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Start loading ``array[index]``, for use in compiled kernels only.

    Args:
        typing_context: Given by numba.
        array: One-dimensional array with elements side by side.
        index: Entry, within the array: it is not checked.
    """
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, number, number, number]), "llvm.prefetch.p0i8"
        )
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        # for reading, into the caches close to the core, data
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(array, index), generate
