# Run by gw_embed: INPUTS, separated by commas, to OUTPUT.
string(REPLACE "," ";" INPUTS "${INPUTS}")
set(text "/* Made by cmake/EmbedFiles.cmake. */\n#include <stddef.h>\n")
foreach(input ${INPUTS})
  get_filename_component(name ${input} NAME_WE)
  file(READ ${input} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR length "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND text "extern const unsigned char gw_embedded_${name}[];\nextern const size_t gw_embedded_${name}_length;\n"
    "const unsigned char gw_embedded_${name}[] = { ${bytes} 0 };\nconst size_t gw_embedded_${name}_length = ${length};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
