"""Does an engine serve an architecture, and which versions of vLLM do?

A log or a question that names no version is about one of those. What was served by 0.7 already, and is served by the
version that plans are made for, is in neither table; nor is what nobody has heard of. Of both nothing says that an
older version lacks them.

Source: model_executor/models/registry.py in the wheels of vLLM 0.7.3 to 0.33.0, all groups but draft models; one wheel
of each minor version, and none of 0.23, so that what is said to be of 0.24 may be of 0.23. The last versions are also
in _PREVIOUSLY_SUPPORTED_MODELS there; where the two differ, the later one is told. What only the Transformers backend
runs (SmolLM3, Emu3) it may have run before it was listed, and is in no table.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from pillion.sizing import versions
from pillion.sizing.versions import Version

_OLDEST_MEANT: Final = Version(0, 11)  # by questions that name no version
_UNREAD: Final = Version(0, 23)
_NEW_IN: Final = {
    Version(0, 8): (
        "AyaVisionForConditionalGeneration Gemma3ForCausalLM Gemma3ForConditionalGeneration Glm4ForCausalLM "
        "GraniteMoeSharedForCausalLM GraniteSpeechForConditionalGeneration Grok1ModelForCausalLM GteModel "
        "KimiVLForConditionalGeneration Llama4ForConditionalGeneration MiniMaxText01ForCausalLM "
        "Mistral3ForConditionalGeneration ModernBertForSequenceClassification NomicBertModel Phi4MMForCausalLM "
        "Plamo2ForCausalLM Qwen2_5OmniModel Qwen3ForCausalLM Qwen3MoeForCausalLM SkyworkR1VChatModel "
        "SmolVLMForConditionalGeneration TeleFLMForCausalLM Zamba2ForCausalLM"
    ),
    Version(0, 9): (
        "Dots1ForCausalLM Ernie4_5_MoeForCausalLM FalconH1ForCausalLM GPT2ForSequenceClassification "
        "Gemma3nForConditionalGeneration Glm4vForConditionalGeneration GraniteMoeHybridForCausalLM GteNewModel "
        "HunYuanMoEV1ForCausalLM KeyeForConditionalGeneration MiMoForCausalLM MiniMaxM1ForCausalLM "
        "MiniMaxVL01ForConditionalGeneration ModernBertModel NemotronHForCausalLM Ovis "
        "Qwen2_5OmniForConditionalGeneration Tarsier2ForConditionalGeneration TarsierForConditionalGeneration"
    ),
    Version(0, 10): (
        "ApertusForCausalLM ArceeForCausalLM BailingMoeForCausalLM Cohere2VisionForConditionalGeneration "
        "DonutForConditionalGeneration Ernie4_5ForCausalLM Ernie4_5_VLMoeForConditionalGeneration "
        "Exaone4ForCausalLM Gemma3TextModel Gemma3nForCausalLM Glm4MoeForCausalLM "
        "Glm4vMoeForConditionalGeneration GptOssForCausalLM GteNewForSequenceClassification HCXVisionForCausalLM "
        "HunYuanDenseV1ForCausalLM InternS1ForConditionalGeneration InternVLForConditionalGeneration "
        "JinaVLForRanking KeyeVL1_5ForConditionalGeneration Lfm2ForCausalLM Llama4ForCausalLM "
        "Llama_Nemotron_Nano_VL MBartForConditionalGeneration MiDashengLMModel MiniMaxForCausalLM "
        "MotifForCausalLM Ovis2_5 Phi4FlashForCausalLM Phi4MultimodalForCausalLM Qwen3NextForCausalLM "
        "RForConditionalGeneration SeedOssForCausalLM Step3TextForCausalLM Step3VLForConditionalGeneration "
        "Terratorch VoxtralForConditionalGeneration"
    ),
    Version(0, 11): (
        "BailingMoeV2ForCausalLM BertForTokenClassification CwmForCausalLM DeepseekV32ForCausalLM "
        "DotsOCRForCausalLM LongcatFlashForCausalLM NemotronH_Nano_VL_V2 Olmo3ForCausalLM "
        "Qwen3VLForConditionalGeneration Qwen3VLMoeForConditionalGeneration"
    ),
    Version(0, 12): (
        "AfmoeForCausalLM BeeForConditionalGeneration BertSpladeSparseEmbeddingModel CLIPModel "
        "DeepseekOCRForCausalLM FlexOlmoForCausalLM HunYuanVLForConditionalGeneration KimiLinearForCausalLM "
        "Lfm2MoeForCausalLM LightOnOCRForConditionalGeneration MiniMaxM2ForCausalLM MistralLarge3ForCausalLM "
        "ModernBertForTokenClassification OpenCUAForConditionalGeneration OuroForCausalLM "
        "PaddleOCRVLForConditionalGeneration PanguEmbeddedForCausalLM PanguUltraMoEForCausalLM "
        "Plamo3ForCausalLM Qwen3OmniMoeForConditionalGeneration SiglipModel TeleChatForCausalLM"
    ),
    Version(0, 13): ("AudioFlamingo3ForConditionalGeneration BagelForConditionalGeneration Jais2ForCausalLM"),
    Version(0, 14): (
        "ExaoneMoEForCausalLM GlmAsrForConditionalGeneration Grok1ForCausalLM IQuestCoderForCausalLM "
        "IQuestLoopCoderForCausalLM IsaacForConditionalGeneration KananaVForConditionalGeneration "
        "Lfm2VlForConditionalGeneration LlamaBidirectionalForSequenceClassification LlamaBidirectionalModel "
        "MiMoV2FlashForCausalLM NemotronParseForConditionalGeneration PanguProMoEV2ForCausalLM "
        "VoxtralStreamingGeneration"
    ),
    Version(0, 15): (
        "BgeM3EmbeddingModel Glm4MoeLiteForCausalLM KimiK25ForConditionalGeneration "
        "Molmo2ForConditionalGeneration Step1ForCausalLM Step3p5ForCausalLM StepVLForConditionalGeneration"
    ),
    Version(0, 16): (
        "DeepseekOCR2ForCausalLM FunAudioChatForConditionalGeneration GlmMoeDsaForCausalLM "
        "GlmOcrForConditionalGeneration HF_ColBERT InternS1ProForConditionalGeneration "
        "MusicFlamingoForConditionalGeneration NemotronHPuzzleForCausalLM OpenPanguVLForConditionalGeneration "
        "Qwen3ASRForConditionalGeneration VoxtralRealtimeGeneration VoyageQwen3BidirectionalEmbedModel"
    ),
    Version(0, 17): (
        "AXK1ForCausalLM BailingMoeV2_5ForCausalLM ColBERTJinaRobertaModel ColBERTModernBertModel "
        "ColModernVBertForRetrieval ColQwen3 FireRedASR2ForConditionalGeneration "
        "FunASRForConditionalGeneration LlamaNemotronVLForSequenceClassification LlamaNemotronVLModel "
        "OpsColQwen3Model Ovis2_6ForCausalLM Ovis2_6_MoeForCausalLM Qwen3ASRRealtimeGeneration "
        "Qwen3VLNemotronEmbedModel Qwen3_5ForConditionalGeneration Qwen3_5MoeForConditionalGeneration"
    ),
    Version(0, 18): (
        "ColPaliForRetrieval ErnieForSequenceClassification ErnieForTokenClassification ErnieModel "
        "HCXVisionV2ForCausalLM HyperCLOVAXForCausalLM MoonshotKimiaForCausalLM OlmoHybridForCausalLM "
        "SarvamMLAForCausalLM SarvamMoEForCausalLM"
    ),
    Version(0, 19): (
        "CohereAsrForConditionalGeneration ColBERTLfm2Model ColQwen3_5 Gemma4ForCausalLM "
        "Gemma4ForConditionalGeneration Qwen3ASRForcedAlignerForTokenClassification"
    ),
    Version(0, 20): (
        "Cheers CheersForConditionalGeneration DeepseekV4ForCausalLM Exaone4_5_ForConditionalGeneration "
        "FireRedLIDForConditionalGeneration Granite4VisionForConditionalGeneration HYV3ForCausalLM "
        "JinaEmbeddingsV5Model JinaForRanking Ministral3ForCausalLM NemotronH_Nano_Omni_Reasoning_V3 "
        "NemotronH_Super_Omni_Reasoning_V3 Param2MoEForCausalLM Phi4ForCausalLMV Rnj1ForCausalLM "
        "TeleChat3ForCausalLM"
    ),
    Version(0, 21): (
        "Cohere2MoeForCausalLM HfMoondream LagunaForCausalLM MiMoV2ForCausalLM MiMoV2OmniForCausalLM "
        "Moondream3ForCausalLM QianfanOCRForConditionalGeneration"
    ),
    Version(0, 22): (
        "InternS2PreviewForConditionalGeneration MiniCPMV4_6ForConditionalGeneration "
        "OpenVLAForActionPrediction"
    ),
    Version(0, 24): (
        "Cosmos3ForConditionalGeneration DiffusionGemmaForBlockDiffusion "
        "Gemma4UnifiedForConditionalGeneration GraniteSpeechPlusForConditionalGeneration HrmTextForCausalLM "
        "MellumForCausalLM MiniMaxM3SparseForCausalLM MiniMaxM3SparseForConditionalGeneration MossAudioModel "
        "Step3p7ForConditionalGeneration"
    ),
    Version(0, 25): (
        "LlavaOnevision2ForConditionalGeneration MossTranscribeDiarizeForConditionalGeneration "
        "OpenAIPrivacyFilterForTokenClassification UnlimitedOCRForCausalLM"
    ),
    Version(0, 26): (
        "BertForMaskedLM Cosmos3EdgeForConditionalGeneration InklingForCausalLM "
        "InklingForConditionalGeneration LongcatFlashNgramForCausalLM RobertaForTokenClassification "
        "XLMRobertaForTokenClassification"
    ),
    Version(0, 27): (
        "ExaoneMoeForCausalLM KimiK3ForConditionalGeneration Qwen3_5ForCausalLM Qwen3_5MoeForCausalLM "
        "VaultGemmaForCausalLM VibeVoiceAsrForConditionalGeneration"
    ),
    Version(0, 28): (
        "BailingMoeV3ForCausalLM Dots3NoteForCausalLM InternS2MobiusForConditionalGeneration "
        "MuseGlimmerForCausalLM MuseGlimmerForConditionalGeneration"
    ),
    Version(0, 29): (
        "DeepseekV3BidirectionalModel GraniteMoeSWAForCausalLM GraniteSWAForCausalLM HYV4ForCausalLM "
        "NemotronH_Omni_Reasoning_V3 Qwen4ExpForCausalLM Qwen4ExpForConditionalGeneration"
    ),
    Version(0, 30): (
        "BailingMoeV3VLForConditionalGeneration CohereCompassForConditionalGeneration DeepseekV41ForCausalLM "
        "DeepseekV4ForConditionalGeneration Glm5NextForCausalLM Glm5NextForConditionalGeneration "
        "K2HorizonForCausalLM NanbeigeForCausalLM"
    ),
    Version(0, 32): ("ClefOmniForJointSchema EmbeddingGemma2Model MiniCPMV4_7ForConditionalGeneration"),
    Version(0, 33): (
        "AliceAIForCausalLM Alpamayo2Super BeamForCausalLM ClefFlashForJointSchema ColUltraVBertForRetrieval "
        "D3ForSequenceClassification DomynEdgeForCausalLM DoryForCausalLM FlintForCausalLM "
        "Kolibri1ForCausalLM Lfm2BidirectionalModel MiniCPMOcrForConditionalGeneration ModernVBertModel "
        "MuseSparkForConditionalGeneration Qwen3XPressModel RadioMBartPrefixForCausalLM Step5ForCausalLM "
        "Step5ForConditionalGeneration"
    ),
}
_LAST_IN: Final = {
    Version(0, 9): "Phi3SmallForCausalLM",
    Version(0, 10): (
        "BartForConditionalGeneration BartModel DonutForConditionalGeneration Florence2ForConditionalGeneration "
        "MBartForConditionalGeneration MllamaForConditionalGeneration Phi4FlashForCausalLM"
    ),
    Version(0, 11): "MotifForCausalLM",
    Version(0, 12): "Phi4MultimodalForCausalLM",
    Version(0, 22): "JAISLMHeadModel",
    Version(0, 23): (
        "BambaForCausalLM Dots1ForCausalLM ErnieForSequenceClassification ErnieForTokenClassification ErnieModel "
        "InternLM2VEForCausalLM InternLMForCausalLM MiniMaxForCausalLM MiniMaxM1ForCausalLM "
        "MiniMaxText01ForCausalLM MiniMaxVL01ForConditionalGeneration QWenLMHeadModel "
        "QwenVLForConditionalGeneration XverseForCausalLM"
    ),
    Version(0, 24): (
        "AquilaForCausalLM AquilaModel AyaVisionForConditionalGeneration BaiChuanForCausalLM BaichuanForCausalLM "
        "Grok1ForCausalLM Grok1ModelForCausalLM MantisForConditionalGeneration "
        "MusicFlamingoForConditionalGeneration Tarsier2ForConditionalGeneration TarsierForConditionalGeneration"
    ),
    Version(0, 25): "FuyuForCausalLM PersimmonForCausalLM TeleChatForCausalLM",
    Version(0, 26): "OuroForCausalLM Plamo2ForCausalLM",
    Version(0, 28): (
        "ArcticForCausalLM ChameleonForConditionalGeneration Cheers CheersForConditionalGeneration "
        "Fairseq2LlamaForCausalLM FireRedLIDForConditionalGeneration GritLM HCXVisionForCausalLM MPTForCausalLM "
        "MptForCausalLM PrithviGeoSpatialMAE RWForCausalLM StableLMEpochForCausalLM"
    ),
}
_FIRST: Final = {name: version for version, names in _NEW_IN.items() for name in names.split()}
_LAST: Final = {name: version for version, names in _LAST_IN.items() for name in names.split()}
_FIRST_OF_ITS_MINOR: Final = re.compile(r"v?\d+\.\d+(\.0)?")


def first(architecture: str | None) -> Version | None:
    """The first version that serves an architecture; None: 0.7 had it already, or nobody knows."""
    return _FIRST.get(architecture or "")


def last(architecture: str | None) -> Version | None:
    """The last version that served an architecture; None: one is not known to have dropped it."""
    return _LAST.get(architecture or "")


def oldest_meant(architecture: str | None) -> Version:
    """The oldest version that a question without one may be about."""
    return max(first(architecture) or _OLDEST_MEANT, _OLDEST_MEANT)


def why_not(architecture: str | None, engine_version: str | None) -> str | None:
    """Why a version does not serve an architecture, as what follows its name; None: nothing says that it does not.

    Without a version: why none does that a question may be about. A patch release may bring an architecture of the
    next minor version, so that of the minor version before the first only the first release is known to lack it.
    """
    asked = versions.parse(engine_version)
    newest, since = last(architecture), first(architecture)
    if newest is not None and newest < (asked or _OLDEST_MEANT):
        return f"which vLLM served up to {newest} alone"
    if asked is None or since is None or asked >= since:
        return None
    before = Version(since.major, since.minor - 1)
    if before == _UNREAD:
        before = Version(before.major, before.minor - 1)
    first_of_its_minor = _FIRST_OF_ITS_MINOR.fullmatch((engine_version or "").strip()) is not None
    if asked < before or (asked == before and first_of_its_minor):
        return f"which vLLM serves from {since} on"
    return None


class Standing(enum.Enum):
    """How an engine stands to an architecture, where no version is in the way."""

    SERVED = enum.auto()  # listed, or nobody looked, or by the older version that is meant
    UNLISTED = enum.auto()  # runs on the classes of transformers or of the checkpoint, if at all
    NEEDS_A_CLASS = enum.auto()  # not listed, and what runs others runs one stack of layers


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherVersion:
    """Other versions of vLLM serve it; `why` follows the architecture's name in a sentence."""

    why: str


def standing(
    architecture: str | None,
    *,
    by_vllm: bool,
    engine_version: str | None,
    listed: bool | None,
    encoder_decoder: bool,
) -> Standing | OtherVersion:
    """What plans and estimates say of an architecture.

    Args:
        architecture: as the configuration names it.
        by_vllm: whether vLLM is asked, whose versions are known.
        engine_version: of it; None where none is named.
        listed: whether the pinned version's own list has it; None: nobody has looked.
        encoder_decoder: whether the model has two stacks of layers.
    """
    why = why_not(architecture, engine_version) if by_vllm else None
    if why is not None:
        return OtherVersion(why=why)
    if listed is not False or (by_vllm and last(architecture) is not None):
        return Standing.SERVED
    return Standing.NEEDS_A_CLASS if encoder_decoder else Standing.UNLISTED
