// SPDX-License-Identifier: MIT
// Lists the names of Python that files of torch.save may mention: what real checkpoints hold. Those
// without a use become inert values.
#include "io/torch_reader.h"

#include <stddef.h>

// The types of elements in the order of enum fum_torch_use from FUM_TORCH_TYPE on.
const struct fum_torch_type fum_torch_types[] = {
    {"f32", FUM_F32, 4},
    {"f64", FUM_F64, 8},
    {"f16", FUM_F16, 2},
    {"bf16", FUM_BF16, 2},
    {"i64", FUM_I64, 8},
    {"i32", FUM_I32, 4},
    {"i16", FUM_I16, 2},
    {"i8", FUM_I8, 1},
    {"u8", FUM_U8, 1},
    {"bool", FUM_BOOL, 1},
    {"f8_e4m3", FUM_F8_E4M3, 1},
    {"f8_e5m2", FUM_F8_E5M2, 1},
    {"complex32", FUM_DTYPE_UNKNOWN, 4},
    {"complex64", FUM_DTYPE_UNKNOWN, 8},
    {"complex128", FUM_DTYPE_UNKNOWN, 16},
    {"an unknown type of 8 bits", FUM_DTYPE_UNKNOWN, 1},
    {"an unknown type of 16 bits", FUM_DTYPE_UNKNOWN, 2},
    {"an unknown type of 32 bits", FUM_DTYPE_UNKNOWN, 4},
    {"an unknown type of 64 bits", FUM_DTYPE_UNKNOWN, 8},
};

// clang-format off
enum {
    F32 = FUM_TORCH_TYPE, F64, F16, BF16, I64, I32, I16, I8, U8, BOOL, E4M3, E5M2,
    COMPLEX32, COMPLEX64, COMPLEX128, OTHER8, OTHER16, OTHER32, OTHER64,
};

#define USE(module, name, use) {module, name, false, use},
#define INERT(module, name) {module, name, false, 0},
#define DICT(module, name) {module, name, true, 0},
// Python's module of built-in names, of versions 2 and 3, and NumPy's of versions 1 and 2.
#define BUILTIN(name) INERT("builtins", name) INERT("__builtin__", name)
#define NUMPY(name) INERT("numpy.core.multiarray", name) INERT("numpy._core.multiarray", name)
#define CALLBACK(module, name) \
    INERT("pytorch_lightning.callbacks." module, name) \
    INERT("lightning.pytorch.callbacks." module, name)
// Storages and types of tensors, which torch has in two modules.
#define STORAGE(name, use) USE("torch", name, use) USE("torch.cuda", name, use)
#define TENSOR(name) INERT("torch", name) INERT("torch.cuda", name)
#define TYPE(name, use) USE("torch", name, use)

const struct fum_pickle_global fum_torch_globals[] = {
    DICT("collections", "OrderedDict")
    DICT("collections", "defaultdict")
    DICT("collections", "Counter")
    DICT("torch.nn.modules.container", "ParameterDict")
    DICT("pytorch_lightning.utilities.parsing", "AttributeDict")
    USE("torch._utils", "_rebuild_tensor_v2", FUM_TORCH_TENSOR)
    USE("torch._utils", "_rebuild_tensor", FUM_TORCH_TENSOR) // before version 0.4
    USE("torch._utils", "_rebuild_tensor_v3", FUM_TORCH_TENSOR_V3)
    USE("torch._utils", "_rebuild_parameter", FUM_TORCH_PARAMETER)
    USE("torch._utils", "_rebuild_parameter_with_state", FUM_TORCH_PARAMETER)
    INERT("torch._utils", "_rebuild_qtensor")
    INERT("torch._utils", "_rebuild_sparse_tensor")
    INERT("torch._utils", "_rebuild_sparse_csr_tensor")
    INERT("torch._utils", "_rebuild_nested_tensor")
    INERT("torch._utils", "_rebuild_meta_tensor_no_storage")
    INERT("torch._utils", "_rebuild_wrapper_subclass")
    INERT("torch._utils", "_rebuild_device_tensor_from_numpy")
    INERT("torch._utils", "_rebuild_device_tensor_from_cpu_tensor")
    INERT("torch._utils", "_rebuild_xla_tensor")
    INERT("torch._utils", "_rebuild_mlc_tensor")
    INERT("torch._tensor", "_rebuild_from_type")
    INERT("torch._tensor", "_rebuild_from_type_v2")
    STORAGE("FloatStorage", F32)
    STORAGE("DoubleStorage", F64)
    STORAGE("HalfStorage", F16)
    STORAGE("BFloat16Storage", BF16)
    STORAGE("LongStorage", I64)
    STORAGE("IntStorage", I32)
    STORAGE("ShortStorage", I16)
    STORAGE("CharStorage", I8)
    STORAGE("ByteStorage", U8)
    STORAGE("BoolStorage", BOOL)
    STORAGE("ComplexFloatStorage", COMPLEX64)
    STORAGE("ComplexDoubleStorage", COMPLEX128)
    STORAGE("QUInt8Storage", OTHER8)
    STORAGE("QInt8Storage", OTHER8)
    STORAGE("QInt32Storage", OTHER32)
    STORAGE("QUInt4x2Storage", OTHER8)
    STORAGE("QUInt2x4Storage", OTHER8)
    STORAGE("UntypedStorage", U8)
    USE("torch.storage", "UntypedStorage", U8)
    USE("torch.storage", "_UntypedStorage", U8)
    USE("torch.storage", "TypedStorage", U8)
    USE("torch.storage", "_TypedStorage", U8)
    TENSOR("FloatTensor")
    TENSOR("DoubleTensor")
    TENSOR("HalfTensor")
    TENSOR("BFloat16Tensor")
    TENSOR("LongTensor")
    TENSOR("IntTensor")
    TENSOR("ShortTensor")
    TENSOR("CharTensor")
    TENSOR("ByteTensor")
    TENSOR("BoolTensor")
    TYPE("float32", F32)
    TYPE("float", F32)
    TYPE("float64", F64)
    TYPE("double", F64)
    TYPE("float16", F16)
    TYPE("half", F16)
    TYPE("bfloat16", BF16)
    TYPE("int64", I64)
    TYPE("long", I64)
    TYPE("int32", I32)
    TYPE("int", I32)
    TYPE("int16", I16)
    TYPE("short", I16)
    TYPE("int8", I8)
    TYPE("uint8", U8)
    TYPE("bool", BOOL)
    TYPE("float8_e4m3fn", E4M3)
    TYPE("float8_e5m2", E5M2)
    TYPE("float8_e4m3fnuz", OTHER8)
    TYPE("float8_e5m2fnuz", OTHER8)
    TYPE("float8_e8m0fnu", OTHER8)
    TYPE("complex32", COMPLEX32)
    TYPE("complex64", COMPLEX64)
    TYPE("complex128", COMPLEX128)
    TYPE("uint16", OTHER16)
    TYPE("uint32", OTHER32)
    TYPE("uint64", OTHER64)
    TYPE("qint8", OTHER8)
    TYPE("quint8", OTHER8)
    TYPE("qint32", OTHER32)
    INERT("torch", "Size")
    INERT("torch", "device")
    INERT("torch", "Tensor")
    INERT("torch", "per_tensor_affine")
    INERT("torch", "per_channel_affine")
    INERT("torch.serialization", "_get_layout")
    INERT("torch.nn.parameter", "Parameter")
    BUILTIN("set")
    BUILTIN("frozenset")
    BUILTIN("bytearray")
    BUILTIN("complex")
    BUILTIN("object")
    INERT("_codecs", "encode")
    INERT("numpy", "dtype")
    INERT("numpy", "ndarray")
    NUMPY("scalar")
    NUMPY("_reconstruct")
    CALLBACK("model_checkpoint", "ModelCheckpoint")
    CALLBACK("early_stopping", "EarlyStopping")
    INERT("pytorch_lightning.callbacks", "ModelCheckpoint")
    INERT("argparse", "Namespace")
    {NULL, NULL, false, 0},
};
// clang-format on
