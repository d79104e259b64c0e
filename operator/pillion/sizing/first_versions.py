"""Which version of vLLM was the first to serve an architecture?

A log or a question that names no version is at least as new as that. Architectures of 0.11 and before are not listed.

Source: model_executor/models/registry.py in the wheels of vLLM 0.11.0 to 0.33.0, all groups but draft models; of 0.23
no wheel was read, so that what is said to be of 0.24 may be of 0.23.
"""

from typing import Final

from pillion.sizing.versions import Version

_OLDEST: Final = Version(0, 11)
_NEW_IN: Final = {
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
_FIRST: Final = {name: version for version, names in _NEW_IN.items() for name in names.split()}


def first(architecture: str | None) -> Version:
    """The first version that serves an architecture; 0.11 stands for that and all before it."""
    return _FIRST.get(architecture or "", _OLDEST)
