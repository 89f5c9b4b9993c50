# gw_embed(target file...): the files' bytes as C arrays gw_embedded_<name>[] with gw_embedded_<name>_length, <name> being the
# file's without extension, in a source of the target; made again when a file changes.
function(gw_embed target)
  set(output ${PROJECT_BINARY_DIR}/generated/embed/${target}_embedded.c)
  string(REPLACE ";" "," inputs "${ARGN}")
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DINPUTS=${inputs} -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
