# SPDX-License-Identifier: MIT
"""Pictures from diffusion models on any GPU with a Vulkan driver: libfumarole for Python.

    import fumarole

    pipeline = fumarole.Pipeline()  # the best device, the shipped model
    picture = pipeline.generate("a red fox", seed=5)[0]
    picture.pixels                  # a NumPy array [height, width, 3] of bytes
    picture.save("fox.png")         # with its parameters inside

Every call that fails raises an Error. Settings that are left out are those of the model. The library is the file in
$FUMAROLE_LIBRARY, else that beside this file, else the system's. An object serves one thread at a time; a call into the
library lets other threads of Python run.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
import enum
import logging
import os
import pathlib
import sys
import threading
import weakref
from ctypes import POINTER, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

API_VERSION = 6  # FUM_API_VERSION of the headers that the structures below follow

_Path = Union[str, "os.PathLike[str]"]
ImageLike = Union[_Path, bytes, NDArray[np.uint8], "Picture"]
"""A picture that is given: a path, the content of a file, an array [height, width(, channels)] of bytes, or a Picture."""


# ---- errors ----

class Error(Exception):
    """A call of the library that failed. The text says what failed, where, and what to do."""


class ArgumentError(Error, ValueError):
    """The arguments of the call are wrong."""


class OutOfMemory(Error, MemoryError):
    """Memory of the host or the device ran out."""


class FileError(Error, OSError):
    """A file could not be read or written."""


class FormatError(Error, ValueError):
    """A file is not what its format says."""


class Unsupported(Error):
    """This build or device cannot do it."""


class DeviceError(Error):
    """The driver failed, or the device was lost."""


class Cancelled(Error):
    """The call was cancelled. `pictures` has those that were finished before."""

    def __init__(self, text: str, pictures: Sequence["Picture"] = ()):
        super().__init__(text)
        self.pictures = list(pictures)


class Result(enum.IntEnum):
    OK = 0
    ERR_ARG = -1
    ERR_NOMEM = -2
    ERR_IO = -3
    ERR_FORMAT = -4
    ERR_UNSUPPORTED = -5
    ERR_DEVICE = -6
    ERR_CANCELLED = -7
    ERR_NO_SPACE = -8


_EXCEPTIONS: Mapping[int, Type[Error]] = {
    Result.ERR_ARG: ArgumentError, Result.ERR_NOMEM: OutOfMemory, Result.ERR_IO: FileError, Result.ERR_FORMAT: FormatError,
    Result.ERR_UNSUPPORTED: Unsupported, Result.ERR_DEVICE: DeviceError, Result.ERR_CANCELLED: Cancelled,
    Result.ERR_NO_SPACE: FileError}


# ---- choices; the names are those of the headers without their prefix ----

class DeviceType(enum.IntEnum):
    OTHER, INTEGRATED, DISCRETE, VIRTUAL, CPU = range(5)


class Precision(enum.IntEnum):
    AUTO, F32, F16, BF16 = range(4)


class Preview(enum.IntEnum):
    NONE, COLOURS, TINY, VAE = range(4)


class Rng(enum.IntEnum):
    CUDA, CPU = range(2)


class Resize(enum.IntEnum):
    STRETCH, CROP, PAD = range(3)


class Inpaint(enum.IntEnum):
    ORIGINAL, FILL, NOISE, ZERO = range(4)


class Seamless(enum.IntEnum):
    NONE, X, Y, XY = range(4)


class Prompt(enum.IntEnum):
    A1111, PLAIN = range(2)


class Emphasis(enum.IntEnum):
    ORIGINAL, NO_NORM, NONE = range(3)


class Adapters(enum.IntEnum):
    AUTO, MERGED, BESIDE = range(3)


MEMORY_AUTO = 2**64 - 1
"""A memory budget of what the driver reports as free."""


# ---- the structures of the headers; a test holds their layouts against them ----

class _Error(ctypes.Structure):
    _fields_ = [("code", c_int), ("text", c_char * 504)]


_LogFn = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class _Log(ctypes.Structure):
    _fields_ = [("fn", _LogFn), ("user", c_void_p), ("level", c_int)]


class _MatrixShape(ctypes.Structure):
    _fields_ = [("type", c_int), ("m", c_uint16), ("n", c_uint16), ("k", c_uint16)]


class _DeviceInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char * 256), ("driver", c_char * 256), ("uuid", c_uint8 * 16), ("vendor_id", c_uint32), ("device_id", c_uint32),
        ("driver_version", c_uint32), ("api_version", c_uint32), ("type", c_int), ("memory", c_uint64), ("max_binding", c_uint64),
        ("max_allocation", c_uint64), ("max_buffer", c_uint64), ("binding_align", c_uint32), ("shared_bytes", c_uint32),
        ("max_group_invocations", c_uint32), ("max_group_size", c_uint32 * 3), ("max_group_count", c_uint32 * 3),
        ("max_push_bytes", c_uint32), ("max_bindings", c_uint32), ("max_texels", c_uint64), ("texel_align", c_uint32),
        ("subgroup_size", c_uint32), ("subgroup_min", c_uint32), ("subgroup_max", c_uint32), ("timestamp_period", c_float),
        ("timestamp_bits", c_uint32), ("storage16", c_bool), ("float16", c_bool), ("storage8", c_bool), ("int8", c_bool),
        ("int_dot", c_bool), ("subgroup_arithmetic", c_bool), ("subgroup_shuffle", c_bool), ("subgroup_control", c_bool),
        ("cooperative_matrix", c_bool), ("matrix", _MatrixShape * 16), ("num_matrix", c_uint32), ("matrix_subgroup", c_uint32),
        ("buffer_address", c_bool), ("timeline", c_bool), ("unified_memory", c_bool), ("memory_budget", c_bool),
        ("planning_only", c_bool)]


class _DeviceParams(ctypes.Structure):
    _fields_ = [("select", c_char_p), ("log", POINTER(_Log)), ("cache_dir", c_char_p), ("compile_only", c_bool), ("validate", c_bool)]


class _ModelParams(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p), ("models_dir", c_char_p), ("program_dir", c_char_p), ("prediction", c_char_p), ("log", POINTER(_Log)),
        ("embeddings_dir", c_char_p), ("weights_variant", c_char_p), ("diffusion_model", c_char_p), ("clip_l", c_char_p),
        ("clip_g", c_char_p), ("vae", c_char_p), ("taesd", c_char_p)]


class _ModelInfo(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p), ("name", c_char_p), ("family", c_char_p), ("description", c_char_p), ("license", c_char_p),
        ("origin", c_char_p), ("prediction", c_char_p), ("sampler", c_char_p), ("unknown_scheduler", c_char_p), ("width", c_int),
        ("height", c_int), ("size_multiple", c_int), ("steps", c_int), ("guidance", c_float), ("clip_skip", c_int),
        ("num_prompts", c_int), ("unusable", c_char_p), ("takes_prompt", c_bool)]


_OnLoad = ctypes.CFUNCTYPE(c_bool, c_void_p, c_char_p, c_uint64, c_uint64)
_OnCompile = ctypes.CFUNCTYPE(c_bool, c_void_p, c_char_p, c_int, c_int)
_OnGraph = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_char_p, c_char_p)


class _PipelineParams(ctypes.Structure):
    _fields_ = [
        ("memory_budget", c_uint64), ("vae_tiling", c_bool), ("precision", c_int), ("weights", c_char_p), ("threads", c_int),
        ("log", POINTER(_Log)), ("on_load", _OnLoad), ("on_compile", _OnCompile), ("on_graph", _OnGraph), ("user", c_void_p)]


class _Image(ctypes.Structure):
    _fields_ = [
        ("index", c_int), ("seed", c_uint64), ("width", c_int), ("height", c_int), ("pixels", POINTER(c_uint8)),
        ("latents", POINTER(c_float)), ("latent_channels", c_int), ("latent_width", c_int), ("latent_height", c_int),
        ("parameters", c_char_p), ("parameters_bytes", c_size_t), ("request", c_char_p), ("channels", c_int)]


class _ImageSource(ctypes.Structure):
    _fields_ = [("path", c_char_p), ("data", c_void_p), ("bytes", c_size_t)]


class _Bytes(ctypes.Structure):
    _fields_ = [("data", POINTER(c_uint8)), ("count", c_size_t)]


class _Control(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p), ("image", _ImageSource), ("preprocess", c_char_p), ("strength", c_float), ("start", c_float), ("end", c_float)]


class _CacheParams(ctypes.Structure):
    _fields_ = [("mode", c_char_p), ("interval", c_int), ("branch", c_int), ("threshold", c_double), ("start", c_double), ("end", c_double)]


class _HiresParams(ctypes.Structure):
    _fields_ = [
        ("scale", c_double), ("width", c_int), ("height", c_int), ("steps", c_int), ("strength", c_double), ("upscaler", c_char_p),
        ("tile", c_int)]


class _GuidanceParams(ctypes.Structure):
    _fields_ = [
        ("rescale", c_float), ("begin", c_float), ("end", c_float), ("plus", c_bool), ("projected", c_bool), ("apg_eta", c_float),
        ("apg_momentum", c_float), ("apg_norm", c_float), ("mimic_scale", c_float), ("mimic_percentile", c_float),
        ("pag_scale", c_float), ("pag_layers", c_char_p), ("slg_scale", c_float), ("slg_layers", c_char_p), ("slg_begin", c_float),
        ("slg_end", c_float)]


class _Adapter(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("unet_weight", c_float), ("text_weight", c_float)]


_OnStep = ctypes.CFUNCTYPE(c_bool, c_void_p, c_int, c_int, c_int)
_OnPreview = ctypes.CFUNCTYPE(c_bool, c_void_p, POINTER(_Image), c_int)
_OnWork = ctypes.CFUNCTYPE(c_bool, c_void_p, c_int, c_int, c_int, c_int)
_OnImage = ctypes.CFUNCTYPE(c_bool, c_void_p, POINTER(_Image))


class _GenerateParams(ctypes.Structure):
    _fields_ = [
        ("prompt", c_char_p), ("negative", c_char_p), ("prompt_style", c_int), ("emphasis", c_int), ("width", c_int), ("height", c_int),
        ("steps", c_int), ("sampler", c_char_p), ("schedule", c_char_p), ("sigmas", POINTER(c_double)), ("num_sigmas", c_int),
        ("timestep_spacing", c_char_p), ("guidance", c_float), ("guidance_method", _GuidanceParams), ("has_class", c_bool),
        ("class_label", c_float), ("classifier", c_char_p), ("has_classifier_scale", c_bool), ("classifier_scale", c_float),
        ("eta", c_float), ("tolerance", c_double), ("seed", c_uint64), ("subseed", c_uint64), ("subseed_strength", c_double),
        ("count", c_int), ("batch", c_int), ("clip_skip", c_int), ("rng", c_int), ("seamless", c_int), ("has_freeu", c_bool),
        ("freeu", c_float * 4), ("cache", _CacheParams), ("noise", POINTER(c_float)), ("noise_shape", c_int * 4),
        ("step_noise", POINTER(c_float)), ("step_noise_shape", c_int * 5), ("init_image", _ImageSource), ("strength", c_double),
        ("resize_mode", c_int), ("mask", _ImageSource), ("mask_invert", c_bool), ("mask_blur", c_double), ("inpaint_fill", c_int),
        ("only_masked", c_bool), ("masked_padding", c_int), ("no_mask_composite", c_bool), ("outpaint", c_int * 4),
        ("image_guidance", c_float), ("max_pixels", c_int), ("adapters", POINTER(_Adapter)), ("num_adapters", c_int),
        ("adapter_dir", c_char_p), ("adapter_mode", c_int), ("hires", POINTER(_HiresParams)), ("controls", POINTER(_Control)),
        ("num_controls", c_int), ("reconstruct", c_char_p), ("interpolate", c_char_p * 2), ("on_step", _OnStep), ("preview", c_int),
        ("preview_interval", c_int), ("on_preview", _OnPreview), ("on_work", _OnWork), ("on_control", _OnImage), ("on_image", _OnImage),
        ("user", c_void_p)]


class _MetadataField(ctypes.Structure):
    _fields_ = [("key", c_char_p), ("value", c_char_p)]


class _Metadata(ctypes.Structure):
    _fields_ = [
        ("parameters", c_char_p), ("prompt", c_char_p), ("negative_prompt", c_char_p), ("fields", POINTER(_MetadataField)),
        ("num_fields", c_size_t), ("request", c_char_p)]


class _UpscalerParams(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p), ("tile", c_int), ("memory_budget", c_uint64), ("precision", c_int), ("threads", c_int), ("log", POINTER(_Log))]


class _UpscalerInfo(ctypes.Structure):
    _fields_ = [("family", c_char_p), ("scale", c_int), ("channels", c_int)]


_OnTile = ctypes.CFUNCTYPE(c_bool, c_void_p, c_int, c_int)


class _UpscaleParams(ctypes.Structure):
    _fields_ = [
        ("file", c_char_p), ("pixels", POINTER(c_uint8)), ("width", c_int), ("height", c_int), ("channels", c_int), ("repeats", c_int),
        ("on_tile", _OnTile), ("on_image", _OnImage), ("user", c_void_p)]


STRUCTURES: Mapping[str, Type[ctypes.Structure]] = {
    "fum_error": _Error, "fum_log": _Log, "fum_matrix_shape": _MatrixShape, "fum_device_info": _DeviceInfo,
    "fum_device_params": _DeviceParams, "fum_model_params": _ModelParams, "fum_model_info": _ModelInfo,
    "fum_pipeline_params": _PipelineParams, "fum_image": _Image, "fum_image_source": _ImageSource, "fum_bytes": _Bytes,
    "fum_control": _Control, "fum_cache_params": _CacheParams, "fum_hires_params": _HiresParams, "fum_guidance_params": _GuidanceParams,
    "fum_adapter": _Adapter, "fum_generate_params": _GenerateParams, "fum_metadata_field": _MetadataField, "fum_metadata": _Metadata,
    "fum_upscaler_params": _UpscalerParams, "fum_upscaler_info": _UpscalerInfo, "fum_upscale_params": _UpscaleParams}
"""The structures of the headers, by the names that they have there."""

CHOICES: Mapping[str, Type[enum.IntEnum]] = {
    "FUM_": Result, "FUM_DEVICE_": DeviceType, "FUM_PRECISION_": Precision, "FUM_PREVIEW_": Preview, "FUM_RNG_": Rng,
    "FUM_RESIZE_": Resize, "FUM_INPAINT_": Inpaint, "FUM_SEAMLESS_": Seamless, "FUM_PROMPT_": Prompt, "FUM_EMPHASIS_": Emphasis,
    "FUM_ADAPTERS_": Adapters}
"""The enumerations, by the prefix of their names in the headers."""


# ---- the library ----

_ERR = POINTER(_Error)
_HANDLE = c_void_p  # a pointer to an object of the library
_FUNCTIONS: Mapping[str, Tuple[Any, List[Any]]] = {
    "fum_api_version": (c_int, []),
    "fum_version": (c_char_p, []),
    "fum_sampler_name": (c_char_p, [c_size_t]),
    "fum_schedule_name": (c_char_p, [c_size_t]),
    "fum_device_list": (c_int, [POINTER(_DeviceInfo), c_int, POINTER(c_int), _ERR]),
    "fum_device_create": (c_int, [POINTER(_HANDLE), POINTER(_DeviceParams), _ERR]),
    "fum_device_destroy": (None, [POINTER(_HANDLE)]),
    "fum_device_get_info": (POINTER(_DeviceInfo), [_HANDLE]),
    "fum_device_get_memory": (None, [_HANDLE, POINTER(c_uint64), POINTER(c_uint64)]),
    "fum_model_open": (c_int, [POINTER(_HANDLE), POINTER(_ModelParams), _ERR]),
    "fum_model_destroy": (None, [POINTER(_HANDLE)]),
    "fum_model_get_info": (POINTER(_ModelInfo), [_HANDLE]),
    "fum_model_prompt": (c_char_p, [_HANDLE, c_int]),
    "fum_pipeline_create": (c_int, [POINTER(_HANDLE), _HANDLE, _HANDLE, POINTER(_PipelineParams), _ERR]),
    "fum_pipeline_destroy": (None, [POINTER(_HANDLE)]),
    "fum_pipeline_model_hash": (c_char_p, [_HANDLE]),
    "fum_generate_from": (c_int, [_HANDLE, POINTER(_GenerateParams), c_int, _ERR]),
    "fum_image_save": (c_int, [POINTER(_Image), c_char_p, _ERR]),
    "fum_image_encode": (c_int, [POINTER(_Image), c_char_p, POINTER(_Bytes), _ERR]),
    "fum_bytes_free": (None, [POINTER(_Bytes)]),
    "fum_metadata_read": (c_int, [POINTER(POINTER(_Metadata)), c_char_p, _ERR]),
    "fum_metadata_decode": (c_int, [POINTER(POINTER(_Metadata)), c_char_p, c_size_t, c_char_p, _ERR]),
    "fum_metadata_destroy": (None, [POINTER(POINTER(_Metadata))]),
    "fum_upscaler_create": (c_int, [POINTER(_HANDLE), _HANDLE, POINTER(_UpscalerParams), _ERR]),
    "fum_upscaler_destroy": (None, [POINTER(_HANDLE)]),
    "fum_upscaler_get_info": (POINTER(_UpscalerInfo), [_HANDLE]),
    "fum_upscaler_run": (c_int, [_HANDLE, POINTER(_UpscaleParams), _ERR]),
}


def _library_names() -> Iterable[str]:
    if os.environ.get("FUMAROLE_LIBRARY"):
        yield os.environ["FUMAROLE_LIBRARY"]
        return
    name = {"win32": f"fumarole-{API_VERSION}.dll", "darwin": f"libfumarole.{API_VERSION}.dylib"}.get(
        sys.platform, f"libfumarole.so.{API_VERSION}")
    beside = pathlib.Path(__file__).resolve().parent / name
    if beside.exists():
        yield str(beside)
    yield name
    found = ctypes.util.find_library("fumarole")
    if found:
        yield found


def _load() -> ctypes.CDLL:
    library, failures = None, []
    for name in _library_names():
        try:
            library = ctypes.CDLL(name)
            break
        except OSError as error:
            failures.append(str(error))
    if library is None:
        raise ImportError("libfumarole was not found; name its file in FUMAROLE_LIBRARY (" + "; ".join(failures) + ")")
    for function, (result, arguments) in _FUNCTIONS.items():
        pointer = getattr(library, function)
        pointer.restype, pointer.argtypes = result, arguments
    if library.fum_api_version() != API_VERSION:
        raise ImportError(f"libfumarole has interface {library.fum_api_version()}, and fumarole.py is made for {API_VERSION}")
    return library


_library = _load()


def _raise(result: int, error: _Error, pictures: Sequence["Picture"] = ()) -> None:
    if result == Result.OK:
        return
    text = error.text.decode("utf8", "replace") or Result(result).name
    kind = _EXCEPTIONS.get(result, Error)
    raise Cancelled(text, pictures) if kind is Cancelled else kind(text)


def _call(function: str, *arguments: Any) -> None:
    """Calls a function whose last parameter is the error, and raises it."""
    error = _Error()
    _raise(getattr(_library, function)(*arguments, byref(error)), error)


def _encode(text: Optional[_Path]) -> Optional[bytes]:
    return None if text is None else os.fspath(text).encode("utf8", "surrogateescape")


def _decode(text: Optional[bytes]) -> str:
    return "" if text is None else text.decode("utf8", "replace")


def version() -> str:
    """Returns the version of the library."""
    return _decode(_library.fum_version())


def _names(function: str) -> List[str]:
    names: List[str] = []
    while True:
        name = getattr(_library, function)(len(names))
        if name is None:
            return names
        names.append(_decode(name))


def samplers() -> List[str]:
    """Returns the names of the samplers."""
    return _names("fum_sampler_name")


def schedules() -> List[str]:
    """Returns the names of the noise schedules."""
    return _names("fum_schedule_name")


_logger = logging.getLogger("fumarole")
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


def _on_log(_user: Any, level: int, message: bytes) -> None:
    _logger.log(_LEVELS.get(level, logging.INFO), "%s", _decode(message))


_log_fn = _LogFn(_on_log)
_log = _Log(_log_fn, None, 4)  # everything; the logger "fumarole" chooses


class _Handle:
    """An object of the library, which is destroyed with this one.

    A device must outlive its pipelines, but Python finalises the objects of a cycle, and those that are left at its end, in
    any order. So an object counts the open ones that use it, and is destroyed once the last of them is closed.
    """

    _destroy = ""

    def __init__(self, *used: _Handle) -> None:
        self._pointer = c_void_p()
        self._used: Tuple[_Handle, ...] = used
        self._users = 0
        self._closed = False
        for other in used:
            other._users += 1

    @property
    def _open(self) -> c_void_p:
        if self._closed or not self._pointer:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._pointer

    def _free(self) -> None:
        if self._pointer:
            getattr(_library, self._destroy)(byref(self._pointer))
        used, self._used = self._used, ()
        for other in used:
            other._users -= 1
            if other._closed and not other._users:
                other._free()

    def close(self) -> None:
        """Frees what the object holds, once the objects that use it are closed too. It cannot be used after that."""
        if getattr(self, "_closed", True):  # True if its constructor failed at once
            return
        self._closed = True
        if not self._users:
            self._free()

    def __del__(self) -> None:
        self.close()

    def __enter__(self: _H) -> _H:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


_H = TypeVar("_H", bound=_Handle)


# ---- devices and models ----

@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """A GPU of this machine."""
    index: int
    name: str
    driver: str
    uuid: str
    type: DeviceType
    memory: int  # bytes of the largest heap on the device


def _describe_device(index: int, info: _DeviceInfo) -> DeviceInfo:
    return DeviceInfo(index, _decode(info.name), _decode(info.driver), bytes(info.uuid).hex(), DeviceType(info.type), info.memory)


def devices() -> List[DeviceInfo]:
    """Returns the GPUs of this machine, in the order of their indices."""
    count = c_int()
    _call("fum_device_list", None, 0, byref(count))
    infos = (_DeviceInfo * max(count.value, 1))()
    _call("fum_device_list", infos, len(infos), byref(count))
    return [_describe_device(i, infos[i]) for i in range(min(count.value, len(infos)))]


class Device(_Handle):
    """An open GPU. `select` is an index, a UUID, or part of a name; None: the best."""

    _destroy = "fum_device_destroy"

    def __init__(self, select: Optional[Union[str, int]] = None, *, cache_dir: Optional[_Path] = None) -> None:
        super().__init__()
        params = _DeviceParams(select=_encode(None if select is None else str(select)), log=ctypes.pointer(_log),
                               cache_dir=_encode(cache_dir))
        _call("fum_device_create", byref(self._pointer), byref(params))

    @property
    def info(self) -> DeviceInfo:
        return _describe_device(-1, _library.fum_device_get_info(self._open).contents)

    @property
    def memory(self) -> Tuple[int, int]:
        """The bytes that this object has allocated, and those of the largest heap."""
        used, total = c_uint64(), c_uint64()
        _library.fum_device_get_memory(self._open, byref(used), byref(total))
        return used.value, total.value


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """A model and its defaults."""
    path: str
    name: str
    family: str
    description: str
    license: str
    origin: str
    prediction: str
    sampler: str
    width: int
    height: int
    size_multiple: int
    steps: int
    guidance: float
    clip_skip: int
    takes_prompt: bool
    unusable: Optional[str]  # why it cannot draw


class Model(_Handle):
    """An open checkpoint: a folder of diffusers, a file, or the name of a shipped model; None: emoji."""

    _destroy = "fum_model_destroy"

    def __init__(self, path: Optional[_Path] = None, *, models_dir: Optional[_Path] = None, prediction: Optional[str] = None,
                 embeddings_dir: Optional[_Path] = None, weights_variant: Optional[str] = None,
                 diffusion_model: Optional[_Path] = None, clip_l: Optional[_Path] = None, clip_g: Optional[_Path] = None,
                 vae: Optional[_Path] = None, taesd: Optional[_Path] = None) -> None:
        super().__init__()
        params = _ModelParams(
            path=_encode(path), models_dir=_encode(models_dir), program_dir=_encode(os.path.dirname(_library._name) or None),
            prediction=_encode(prediction), log=ctypes.pointer(_log), embeddings_dir=_encode(embeddings_dir),
            weights_variant=_encode(weights_variant), diffusion_model=_encode(diffusion_model), clip_l=_encode(clip_l),
            clip_g=_encode(clip_g), vae=_encode(vae), taesd=_encode(taesd))
        _call("fum_model_open", byref(self._pointer), byref(params))

    @property
    def info(self) -> ModelInfo:
        info = _library.fum_model_get_info(self._open).contents
        return ModelInfo(
            path=_decode(info.path), name=_decode(info.name), family=_decode(info.family), description=_decode(info.description),
            license=_decode(info.license), origin=_decode(info.origin), prediction=_decode(info.prediction),
            sampler=_decode(info.sampler), width=info.width, height=info.height, size_multiple=info.size_multiple,
            steps=info.steps, guidance=info.guidance, clip_skip=info.clip_skip, takes_prompt=info.takes_prompt,
            unusable=None if info.unusable is None else _decode(info.unusable))

    @property
    def prompts(self) -> List[str]:
        """The prompts that the model knows, if it lists them."""
        count = _library.fum_model_get_info(self._open).contents.num_prompts
        return [_decode(_library.fum_model_prompt(self._open, i)) for i in range(count)]


# ---- pictures ----

@dataclasses.dataclass
class Picture:
    """A finished picture."""
    pixels: NDArray[np.uint8]  # [height, width, channels], or [height, width] if it is grey
    index: int = 0  # among those that were requested
    seed: int = 0
    parameters: str = ""  # how it was made, as A1111 writes it
    latents: Optional[NDArray[np.float32]] = None  # [channels, height, width]

    def _fill(self) -> Tuple[_Image, Any]:
        pixels = np.ascontiguousarray(self.pixels, dtype=np.uint8)
        if pixels.ndim not in (2, 3):
            raise ArgumentError(f"pixels have the shape [height, width] or [height, width, channels], not {list(pixels.shape)}")
        text = self.parameters.encode("utf8")
        image = _Image(index=self.index, seed=self.seed, width=pixels.shape[1], height=pixels.shape[0],
                       pixels=pixels.ctypes.data_as(POINTER(c_uint8)), parameters=text, parameters_bytes=len(text),
                       channels=pixels.shape[2] if pixels.ndim == 3 else 1)
        return image, pixels

    def save(self, path: _Path) -> None:
        """Writes a .png, .jpg or .webp with the parameters inside, whole or not at all."""
        image, pixels = self._fill()
        _call("fum_image_save", byref(image), _encode(path))
        del pixels  # alive until here

    def encode(self, name: str = "picture.png") -> bytes:
        """Returns the file that save would write under that name."""
        image, pixels = self._fill()
        content = _Bytes()
        _call("fum_image_encode", byref(image), _encode(name), byref(content))
        try:
            return ctypes.string_at(content.data, content.count)
        finally:
            _library.fum_bytes_free(byref(content))
            del pixels


def _copy_picture(image: _Image) -> Picture:
    shape = (image.height, image.width) if image.channels == 1 else (image.height, image.width, image.channels)
    pixels = np.ctypeslib.as_array(image.pixels, shape).copy() if image.pixels else np.zeros(shape, np.uint8)
    latents = None
    if image.latents:
        latents = np.ctypeslib.as_array(image.latents, (image.latent_channels, image.latent_height, image.latent_width)).copy()
    return Picture(pixels, image.index, image.seed, _decode(image.parameters), latents)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """How a picture was made, by the text that it carries."""
    parameters: str
    prompt: str
    negative_prompt: str
    fields: Mapping[str, str]  # "Steps" and "20"
    request: Optional[str]  # what fumarole draws it again from, a JSON object


def read_metadata(picture: Union[_Path, bytes]) -> Optional[Metadata]:
    """Reads the parameters of a PNG, JPEG or WebP, given as a path or as its content. None: it carries none."""
    pointer = POINTER(_Metadata)()
    if isinstance(picture, bytes):
        _call("fum_metadata_decode", byref(pointer), picture, len(picture), b"picture")
    else:
        _call("fum_metadata_read", byref(pointer), _encode(picture))
    try:
        found = pointer.contents
        if found.parameters is None:
            return None
        fields = {_decode(found.fields[i].key): _decode(found.fields[i].value) for i in range(found.num_fields)}
        return Metadata(_decode(found.parameters), _decode(found.prompt), _decode(found.negative_prompt), fields,
                        None if found.request is None else _decode(found.request))
    finally:
        _library.fum_metadata_destroy(byref(pointer))


# ---- drawing ----

@dataclasses.dataclass(frozen=True)
class Lora:
    """An adapter of the model's weights: its path or its name in `lora_dir`, and its weights."""
    name: str
    weight: float = 1
    text_weight: Optional[float] = None  # None: the same


@dataclasses.dataclass(frozen=True)
class Control:
    """A ControlNet or T2I-adapter, and the picture that it steers by."""
    path: str
    image: ImageLike
    preprocess: Optional[str] = None  # "canny"
    strength: float = 0.9
    start: float = 0
    end: float = 1


OnStep = Callable[[int, int, int], Optional[bool]]
"""Called with the picture's index, the step from 1, and their number. Returning False cancels."""


class _Run:
    """The callbacks of one call. What a callback raises cancels the call and is raised after it."""

    def __init__(self, cancel: Optional[threading.Event]) -> None:
        self.cancel = cancel
        self.raised: Optional[BaseException] = None
        self.pictures: List[Picture] = []

    def go_on(self) -> bool:
        return self.raised is None and not (self.cancel and self.cancel.is_set())

    def guard(self, function: Callable[..., Optional[bool]]) -> Callable[..., bool]:
        def guarded(_user: Any, *arguments: Any) -> bool:
            try:
                return function(*arguments) is not False and self.go_on()
            except BaseException as error:  # pylint: disable=broad-except; KeyboardInterrupt, too
                self.raised = error
                return False
        return guarded

    def keep(self, image: Any) -> None:
        self.pictures.append(_copy_picture(image.contents))

    def finish(self, result: int, error: _Error) -> List[Picture]:
        if self.raised is not None:
            raise self.raised
        if self.cancel and self.cancel.is_set() and result == Result.OK:
            raise Cancelled("cancelled", self.pictures)
        _raise(result, error, self.pictures)
        return self.pictures


def _source(image: Optional[ImageLike], keep: List[Any]) -> _ImageSource:
    """Returns a picture as the library takes it. What must outlive the call is added to `keep`."""
    if image is None:
        return _ImageSource()
    if isinstance(image, np.ndarray):
        image = Picture(image)
    if isinstance(image, Picture):
        image = image.encode()
    if isinstance(image, bytes):
        keep.append(ctypes.create_string_buffer(image, len(image)))
        return _ImageSource(None, ctypes.cast(keep[-1], c_void_p), len(image))
    return _ImageSource(_encode(image))


def _structure(kind: Type[ctypes.Structure], values: Optional[Mapping[str, Any]]) -> Any:
    """Returns a structure with these fields set; texts are encoded."""
    names = {name for name, *_ in kind._fields_}
    for name in values or {}:
        if name not in names:
            raise ArgumentError(f"there is no {name}; available: {', '.join(sorted(names))}")
    return kind(**{name: _encode(value) if isinstance(value, str) else value for name, value in (values or {}).items()})


def _array(kind: Any, values: Sequence[Any]) -> Any:
    return (kind * len(values))(*values) if values else None


def _set_noise(params: _GenerateParams, name: str, noise: Optional[NDArray[np.float32]], keep: List[Any]) -> None:
    if noise is None:
        return
    keep.append(np.ascontiguousarray(noise, dtype=np.float32))
    shape = getattr(params, name + "_shape")
    if keep[-1].ndim != len(shape):
        raise ArgumentError(f"{name} has {len(shape)} dimensions, not {keep[-1].ndim}")
    setattr(params, name, keep[-1].ctypes.data_as(POINTER(c_float)))
    shape[:] = keep[-1].shape


class Pipeline(_Handle):
    """A model on a device. Weights are loaded with the first picture, and later ones reuse what that compiled."""

    _destroy = "fum_pipeline_destroy"

    def __init__(self, model: Optional[Union[Model, _Path]] = None, device: Optional[Union[Device, str, int]] = None, *,
                 memory_budget: int = 0, vae_tiling: bool = False, precision: Precision = Precision.AUTO,
                 weights: Optional[str] = None, threads: int = 0) -> None:
        self.device = device if isinstance(device, Device) else Device(device)
        self.model = model if isinstance(model, Model) else Model(model)
        super().__init__(self.device, self.model)
        self._on_load: Optional[Callable[[str, int, int], Optional[bool]]] = None
        self._run: Optional[_Run] = None
        this = weakref.ref(self)  # a bound method would be a cycle, so that only the collector frees the pipeline

        def load(_user: Any, component: bytes, done: int, total: int) -> bool:
            pipeline = this()
            return pipeline is None or pipeline._load(component, done, total)

        self._callback = _OnLoad(load)
        params = _PipelineParams(memory_budget=memory_budget, vae_tiling=vae_tiling, precision=precision, weights=_encode(weights),
                                 threads=threads, log=ctypes.pointer(_log), on_load=self._callback)
        _call("fum_pipeline_create", byref(self._pointer), self.device._open, self.model._open, byref(params))

    def _load(self, component: bytes, done: int, total: int) -> bool:
        if self._run is None:
            return True
        report = self._on_load
        return self._run.guard(lambda: report(_decode(component), done, total) if report else None)(None)

    @property
    def model_hash(self) -> Optional[str]:
        """The hash of the model, known after a picture was drawn."""
        found = _library.fum_pipeline_model_hash(self._open)
        return None if found is None else _decode(found)

    def generate(self, prompt: Optional[str] = None, *, negative: Optional[str] = None, width: int = 0, height: int = 0,
                 steps: int = 0, guidance: float = 0, sampler: Optional[str] = None, schedule: Optional[str] = None,
                 seed: int = 42, count: int = 1, first: int = 0, batch: int = 0,
                 sigmas: Sequence[float] = (), timestep_spacing: Optional[str] = None, eta: float = 0, tolerance: float = 0,
                 clip_skip: int = 0, rng: Rng = Rng.CUDA, subseed: int = 0, subseed_strength: float = 0,
                 prompt_style: Prompt = Prompt.A1111, emphasis: Emphasis = Emphasis.ORIGINAL,
                 class_label: Optional[float] = None, classifier: Optional[_Path] = None,
                 classifier_scale: Optional[float] = None, seamless: Seamless = Seamless.NONE,
                 noise: Optional[NDArray[np.float32]] = None, step_noise: Optional[NDArray[np.float32]] = None,
                 init_image: Optional[ImageLike] = None, strength: float = 0, resize_mode: Resize = Resize.STRETCH,
                 mask: Optional[ImageLike] = None, mask_invert: bool = False, mask_blur: float = 0,
                 inpaint_fill: Inpaint = Inpaint.ORIGINAL, only_masked: bool = False, masked_padding: int = 0,
                 no_mask_composite: bool = False, outpaint: Tuple[int, int, int, int] = (0, 0, 0, 0), image_guidance: float = 0,
                 loras: Sequence[Union[Lora, str]] = (), lora_dir: Optional[_Path] = None,
                 adapter_mode: Adapters = Adapters.AUTO, controls: Sequence[Control] = (),
                 guidance_method: Optional[Mapping[str, Any]] = None, cache: Optional[Mapping[str, Any]] = None,
                 hires: Optional[Mapping[str, Any]] = None, freeu: Optional[Sequence[float]] = None,
                 preview: Preview = Preview.NONE, preview_interval: int = 0,
                 on_step: Optional[OnStep] = None, on_preview: Optional[Callable[[Picture, int], Optional[bool]]] = None,
                 on_picture: Optional[Callable[[Picture], Optional[bool]]] = None,
                 on_load: Optional[Callable[[str, int, int], Optional[bool]]] = None,
                 cancel: Optional[threading.Event] = None) -> List[Picture]:
        """Draws pictures and returns them. Zero, None and what is left out are the model's own choice.

        Picture i has seed + i; with `first`, those before it are left out, and the others have the bits that they have in a
        run of all. `guidance_method`, `cache` and `hires` have the fields of struct fum_guidance_params, fum_cache_params
        and fum_hires_params. The callbacks run on this thread; one that returns False cancels, and so does `cancel` when
        another thread sets it, within a step: the call then raises Cancelled, which has the pictures that were finished.
        """
        keep: List[Any] = []
        run = _Run(cancel)
        params = _GenerateParams(
            prompt=_encode(prompt), negative=_encode(negative), prompt_style=prompt_style, emphasis=emphasis, width=width,
            height=height, steps=steps, guidance=guidance, sampler=_encode(sampler), schedule=_encode(schedule),
            sigmas=_array(c_double, sigmas), num_sigmas=len(sigmas), timestep_spacing=_encode(timestep_spacing), eta=eta,
            tolerance=tolerance, seed=seed, subseed=subseed, subseed_strength=subseed_strength, count=count, batch=batch,
            clip_skip=clip_skip, rng=rng, seamless=seamless, has_class=class_label is not None, class_label=class_label or 0,
            classifier=_encode(classifier), has_classifier_scale=classifier_scale is not None,
            classifier_scale=classifier_scale or 0, init_image=_source(init_image, keep), strength=strength,
            resize_mode=resize_mode, mask=_source(mask, keep), mask_invert=mask_invert, mask_blur=mask_blur,
            inpaint_fill=inpaint_fill, only_masked=only_masked, masked_padding=masked_padding,
            no_mask_composite=no_mask_composite, outpaint=(c_int * 4)(*outpaint), image_guidance=image_guidance,
            adapters=_array(_Adapter, [_describe_lora(lora) for lora in loras]), num_adapters=len(loras),
            adapter_dir=_encode(lora_dir), adapter_mode=adapter_mode,
            controls=_array(_Control, [_describe_control(control, keep) for control in controls]), num_controls=len(controls),
            guidance_method=_structure(_GuidanceParams, guidance_method), cache=_structure(_CacheParams, cache),
            hires=ctypes.pointer(_structure(_HiresParams, hires)) if hires is not None else None,
            has_freeu=freeu is not None, freeu=(c_float * 4)(*(freeu or ())), preview=preview if on_preview else Preview.NONE,
            preview_interval=preview_interval)
        _set_noise(params, "noise", noise, keep)
        _set_noise(params, "step_noise", step_noise, keep)
        self._watch(params, run, on_step, on_preview, on_picture)
        self._on_load, self._run = on_load, run
        error = _Error()
        try:
            return run.finish(_library.fum_generate_from(self._open, byref(params), first, byref(error)), error)
        finally:
            self._on_load = self._run = None

    @staticmethod
    def _watch(params: _GenerateParams, run: _Run, on_step: Optional[OnStep],
               on_preview: Optional[Callable[[Picture, int], Optional[bool]]],
               on_picture: Optional[Callable[[Picture], Optional[bool]]]) -> None:
        """Sets the callbacks of a request."""
        def take(image: Any) -> Optional[bool]:
            run.keep(image)
            return on_picture(run.pictures[-1]) if on_picture else None

        params.on_image = _OnImage(run.guard(take))
        params.on_work = _OnWork(run.guard(lambda *_: None))
        if on_step:
            params.on_step = _OnStep(run.guard(on_step))
        if on_preview:
            params.on_preview = _OnPreview(run.guard(lambda image, step: on_preview(_copy_picture(image.contents), step)))


def _describe_lora(lora: Union[Lora, str]) -> _Adapter:
    one = Lora(lora) if isinstance(lora, str) else lora
    return _Adapter(_encode(one.name), one.weight, one.weight if one.text_weight is None else one.text_weight)


def _describe_control(control: Control, keep: List[Any]) -> _Control:
    strength = control.strength if control.strength > 0 else -1
    return _Control(_encode(control.path), _source(control.image, keep), _encode(control.preprocess), strength, control.start, control.end)


class Upscaler(_Handle):
    """A network that enlarges pictures (ESRGAN, Real-ESRGAN, SRVGG) on a device."""

    _destroy = "fum_upscaler_destroy"

    def __init__(self, path: _Path, device: Optional[Union[Device, str, int]] = None, *, tile: int = 0, memory_budget: int = 0,
                 precision: Precision = Precision.AUTO, threads: int = 0) -> None:
        self.device = device if isinstance(device, Device) else Device(device)
        super().__init__(self.device)
        params = _UpscalerParams(path=_encode(path), tile=tile, memory_budget=memory_budget, precision=precision, threads=threads,
                                 log=ctypes.pointer(_log))
        _call("fum_upscaler_create", byref(self._pointer), self.device._open, byref(params))

    @property
    def scale(self) -> int:
        """The factor of a picture's sides."""
        return int(_library.fum_upscaler_get_info(self._open).contents.scale)

    def enlarge(self, picture: Union[_Path, NDArray[np.uint8], Picture], *, repeats: int = 1,
                on_tile: Optional[Callable[[int, int], Optional[bool]]] = None, cancel: Optional[threading.Event] = None) -> Picture:
        """Enlarges a picture: a path, an array [height, width(, channels)], or a Picture."""
        run = _Run(cancel)
        params = _UpscaleParams(repeats=repeats, on_tile=_OnTile(run.guard(on_tile or (lambda *_: None))),
                                on_image=_OnImage(run.guard(run.keep)))
        image = pixels = None
        if isinstance(picture, (np.ndarray, Picture)):
            image, pixels = (picture if isinstance(picture, Picture) else Picture(picture))._fill()
            params.pixels, params.width, params.height, params.channels = image.pixels, image.width, image.height, image.channels
        else:
            params.file = _encode(picture)
        error = _Error()
        result = _library.fum_upscaler_run(self._open, byref(params), byref(error))
        del pixels
        return run.finish(result, error)[0]
